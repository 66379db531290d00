//! Requests as templates: `${to}`, `${from}`, `${words}` and `${id}` in the values of a query, a form
//! or a JSON document. What is filled in can never end the value it stands in: values are filled
//! first, and written in the form's or the document's own way afterwards.

use serde_json::{Map, Value};
use thiserror::Error;
use zeroize::Zeroizing;

/// What can be filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    /// The number in E.164, with its plus sign.
    To,
    /// The number's digits, country code first.
    Digits,
    /// Who the text is from.
    From,
    /// What the text says.
    Words,
    /// The text's name, new for each text: fit to recognise one that comes twice.
    Id,
}

/// The slots by name.
const SLOTS: [(&str, Slot); 5] = [
    ("to", Slot::To),
    ("to_digits", Slot::Digits),
    ("from", Slot::From),
    ("words", Slot::Words),
    ("id", Slot::Id),
];

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// There is no such slot.
    #[error(
        "there is no ${{{0}}}; there are ${{to}}, ${{to_digits}}, ${{from}}, ${{words}} and ${{id}}"
    )]
    Unknown(String),
    /// A slot without its end.
    #[error("a ${{ has no }}")]
    Unclosed,
    /// Not JSON.
    #[error("this is not JSON: {0}")]
    NotJson(String),
}

/// What a text fills in.
#[derive(Clone, Copy)]
pub(super) struct Filling<'a> {
    pub(super) to: &'a str,
    pub(super) from: &'a str,
    pub(super) words: &'a str,
    pub(super) id: &'a str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Slot(Slot),
}

/// A value with slots in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Part>);

impl Template {
    /// Reads a value. A dollar sign without a brace is one.
    ///
    /// # Errors
    /// A slot that does not exist or does not end.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, slot)) = rest.split_once("${") {
            let (name, behind) = slot.split_once('}').ok_or(TemplateError::Unclosed)?;
            let slot = SLOTS.iter().find(|(known, _)| *known == name);
            let Some((_, slot)) = slot else {
                let name = name.chars().take(32).filter(|c| !c.is_control());
                return Err(TemplateError::Unknown(name.collect()));
            };
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            parts.push(Part::Slot(*slot));
            rest = behind;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Template(parts))
    }

    pub(super) fn fill(&self, with: Filling<'_>) -> String {
        let mut filled = String::new();
        for part in &self.0 {
            filled.push_str(match part {
                Part::Literal(literal) => literal,
                Part::Slot(Slot::To) => with.to,
                Part::Slot(Slot::Digits) => with.to.strip_prefix('+').unwrap_or(with.to),
                Part::Slot(Slot::From) => with.from,
                Part::Slot(Slot::Words) => with.words,
                Part::Slot(Slot::Id) => with.id,
            });
        }
        filled
    }
}

/// A JSON document with slots in its texts.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Text(Template),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
    Other(Value),
}

impl Node {
    fn read(value: Value) -> Result<Node, TemplateError> {
        Ok(match value {
            Value::String(text) => Node::Text(Template::parse(&text)?),
            Value::Array(list) => {
                Node::List(list.into_iter().map(Node::read).collect::<Result<_, _>>()?)
            }
            Value::Object(object) => {
                let entries = object.into_iter();
                let entries = entries.map(|(key, value)| Ok((key, Node::read(value)?)));
                Node::Object(entries.collect::<Result<_, _>>()?)
            }
            other => Node::Other(other),
        })
    }

    fn fill(&self, with: Filling<'_>) -> Value {
        match self {
            Node::Text(template) => Value::String(template.fill(with)),
            Node::List(list) => list.iter().map(|node| node.fill(with)).collect(),
            Node::Object(entries) => {
                let entries = entries.iter();
                let filled = entries.map(|(key, node)| (key.clone(), node.fill(with)));
                Value::Object(filled.collect::<Map<_, _>>())
            }
            Node::Other(value) => value.clone(),
        }
    }
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Body(Kind);

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Json(Node),
    Form(Vec<(String, Template)>),
}

impl Body {
    /// A JSON document.
    ///
    /// # Errors
    /// It is none, or has a slot that does not exist.
    pub fn json(text: &str) -> Result<Body, TemplateError> {
        let value = serde_json::from_str(text);
        let value = value.map_err(|error| TemplateError::NotJson(error.to_string()))?;
        Ok(Body(Kind::Json(Node::read(value)?)))
    }

    /// A form, `To=${to}&Body=${words}`.
    ///
    /// # Errors
    /// A slot that does not exist.
    pub fn form(text: &str) -> Result<Body, TemplateError> {
        Ok(Body(Kind::Form(pairs(text)?)))
    }

    /// Whether it is a form, and not JSON.
    pub fn is_form(&self) -> bool {
        matches!(self.0, Kind::Form(_))
    }

    /// Its media type.
    pub(super) fn media_type(&self) -> &'static str {
        match self.0 {
            Kind::Json(_) => "application/json",
            Kind::Form(_) => "application/x-www-form-urlencoded",
        }
    }

    pub(super) fn fill(&self, with: Filling<'_>) -> Zeroizing<String> {
        Zeroizing::new(match &self.0 {
            Kind::Json(node) => node.fill(with).to_string(),
            Kind::Form(pairs) => encode(pairs, with),
        })
    }
}

/// A query or form, decoded.
pub(super) fn pairs(text: &str) -> Result<Vec<(String, Template)>, TemplateError> {
    form_urlencoded::parse(text.as_bytes())
        .map(|(key, value)| Ok((key.into_owned(), Template::parse(&value)?)))
        .collect()
}

/// A query or form, filled and encoded.
pub(super) fn encode(pairs: &[(String, Template)], with: Filling<'_>) -> String {
    let mut to = form_urlencoded::Serializer::new(String::new());
    for (key, template) in pairs {
        to.append_pair(key, &template.fill(with));
    }
    to.finish()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filling<'a>(words: &'a str, from: &'a str) -> Filling<'a> {
        Filling {
            to: "+447400123456",
            from,
            words,
            id: "7",
        }
    }

    #[test]
    fn values_are_filled() {
        let body = Body::json(r#"{"to":"${to}","n":[1,"${to_digits}"],"t":"<${words}> $5 ${id}"}"#);
        assert_eq!(
            *body.unwrap().fill(filling("a\"b", "")),
            r#"{"n":[1,"447400123456"],"t":"<a\"b> $5 7","to":"+447400123456"}"#
        );
        let body = Body::form("To=%2B${to_digits}&Body=${words}&From=${from}").unwrap();
        assert_eq!(
            *body.fill(filling("a&b=c", "Ring true")),
            "To=%2B447400123456&Body=a%26b%3Dc&From=Ring+true"
        );
        assert_eq!(body.media_type(), "application/x-www-form-urlencoded");
    }

    #[test]
    fn a_bad_template_is_told() {
        assert_eq!(
            Body::json(r#"{"a":["${worlds}"]}"#),
            Err(TemplateError::Unknown("worlds".to_owned()))
        );
        assert_eq!(Body::form("a=${to"), Err(TemplateError::Unclosed));
        assert!(matches!(Body::json("{"), Err(TemplateError::NotJson(_))));
        let error = Template::parse("${x}").unwrap_err().to_string();
        assert!(
            error.starts_with("there is no ${x}; there are ${to}, "),
            "{error}"
        );
    }

    proptest! {
        /// Whatever a text says, it stays within its value.
        #[test]
        fn nothing_gets_out(words in any::<String>(), from in "[ -~]{0,11}") {
            let with = filling(&words, &from);
            let json = Body::json(r#"{"a":"${words}","b":{"c":"${from}"}}"#).unwrap();
            let read: Value = serde_json::from_str(&json.fill(with)).unwrap();
            prop_assert_eq!(read, serde_json::json!({"a": words.as_str(), "b": {"c": from.as_str()}}));
            let form = Body::form("a=${words}&b=${from}").unwrap();
            let filled = form.fill(with);
            let read: Vec<(String, String)> = form_urlencoded::parse(filled.as_bytes())
                .map(|(key, value)| (key.into_owned(), value.into_owned()))
                .collect();
            prop_assert_eq!(read, [("a".to_owned(), words.clone()), ("b".to_owned(), from.clone())]);
        }
    }
}
