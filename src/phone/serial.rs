//! Serialisation of a number, which must be asked for by name so that none leaks by a derive.

/// `#[serde(with = "phone::serial::e164")]`: the whole number. For what is encrypted or sent to a
/// carrier, never for an answer of the API.
pub mod e164 {
    use serde::{Deserializer, Serializer, de};

    use crate::phone::PhoneNumber;

    /// Writes the number in E.164.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(number: &PhoneNumber, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(number.e164())
    }

    /// Reads a number as [`PhoneNumber::parse`] does.
    ///
    /// # Errors
    /// Text that is no direct-dial number; the message does not repeat the text.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PhoneNumber, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = PhoneNumber;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a phone number in E.164")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<PhoneNumber, E> {
                PhoneNumber::parse(text).map_err(E::custom)
            }
        }
        from.deserialize_str(Text)
    }
}

/// `#[serde(serialize_with = "phone::serial::masked")]`: the masked number.
///
/// # Errors
/// Those of the serializer.
pub fn masked<S: serde::Serializer>(number: &super::PhoneNumber, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&number.masked())
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use crate::phone::PhoneNumber;

    #[derive(Serialize, Deserialize)]
    struct Kept {
        #[serde(with = "super::e164")]
        to: PhoneNumber,
    }

    #[derive(Serialize)]
    struct Told {
        #[serde(serialize_with = "super::masked")]
        to: PhoneNumber,
    }

    #[test]
    fn a_number_is_written_as_asked_and_read_strictly() {
        let to = PhoneNumber::parse("+44 20 7946 0123").unwrap();
        let kept = serde_json::to_string(&Kept { to: to.clone() }).unwrap();
        assert_eq!(kept, r#"{"to":"+442079460123"}"#);
        assert_eq!(serde_json::from_str::<Kept>(&kept).unwrap().to, to);
        let told = serde_json::to_string(&Told { to }).unwrap();
        assert_eq!(told, r#"{"to":"+44********23"}"#);
        let error = serde_json::from_str::<Kept>(r#"{"to":"+442079460123x9"}"#)
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default();
        assert!(error.contains("not a direct-dial number"), "{error}");
        assert!(!error.contains("2079460123"), "{error}");
    }
}
