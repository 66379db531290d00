//! Optional parameters: tag, length, value (SMPP 3.4 3.2.4, SMPP 5.0 4.8).

use std::fmt;

use smallvec::SmallVec;

use super::{DecodeErrorKind, EncodeError};

/// The tag of an optional parameter. Tags without a name are kept as they came.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub u16);

macro_rules! tags {
    ($($name:ident = $value:literal, $text:literal;)*) => {
        impl Tag {
            $(#[doc = concat!("`", $text, "`")] pub const $name: Tag = Tag($value);)*

            /// The name in the standard; `None` for reserved and vendor tags.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Tag::$name => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

tags! {
    DEST_ADDR_SUBUNIT = 0x0005, "dest_addr_subunit";
    DEST_NETWORK_TYPE = 0x0006, "dest_network_type";
    DEST_BEARER_TYPE = 0x0007, "dest_bearer_type";
    DEST_TELEMATICS_ID = 0x0008, "dest_telematics_id";
    SOURCE_ADDR_SUBUNIT = 0x000d, "source_addr_subunit";
    SOURCE_NETWORK_TYPE = 0x000e, "source_network_type";
    SOURCE_BEARER_TYPE = 0x000f, "source_bearer_type";
    SOURCE_TELEMATICS_ID = 0x0010, "source_telematics_id";
    QOS_TIME_TO_LIVE = 0x0017, "qos_time_to_live";
    PAYLOAD_TYPE = 0x0019, "payload_type";
    ADDITIONAL_STATUS_INFO_TEXT = 0x001d, "additional_status_info_text";
    RECEIPTED_MESSAGE_ID = 0x001e, "receipted_message_id";
    MS_MSG_WAIT_FACILITIES = 0x0030, "ms_msg_wait_facilities";
    PRIVACY_INDICATOR = 0x0201, "privacy_indicator";
    SOURCE_SUBADDRESS = 0x0202, "source_subaddress";
    DEST_SUBADDRESS = 0x0203, "dest_subaddress";
    USER_MESSAGE_REFERENCE = 0x0204, "user_message_reference";
    USER_RESPONSE_CODE = 0x0205, "user_response_code";
    SOURCE_PORT = 0x020a, "source_port";
    DESTINATION_PORT = 0x020b, "destination_port";
    SAR_MSG_REF_NUM = 0x020c, "sar_msg_ref_num";
    LANGUAGE_INDICATOR = 0x020d, "language_indicator";
    SAR_TOTAL_SEGMENTS = 0x020e, "sar_total_segments";
    SAR_SEGMENT_SEQNUM = 0x020f, "sar_segment_seqnum";
    SC_INTERFACE_VERSION = 0x0210, "sc_interface_version";
    CALLBACK_NUM_PRES_IND = 0x0302, "callback_num_pres_ind";
    CALLBACK_NUM_ATAG = 0x0303, "callback_num_atag";
    NUMBER_OF_MESSAGES = 0x0304, "number_of_messages";
    CALLBACK_NUM = 0x0381, "callback_num";
    DPF_RESULT = 0x0420, "dpf_result";
    SET_DPF = 0x0421, "set_dpf";
    MS_AVAILABILITY_STATUS = 0x0422, "ms_availability_status";
    NETWORK_ERROR_CODE = 0x0423, "network_error_code";
    MESSAGE_PAYLOAD = 0x0424, "message_payload";
    DELIVERY_FAILURE_REASON = 0x0425, "delivery_failure_reason";
    MORE_MESSAGES_TO_SEND = 0x0426, "more_messages_to_send";
    MESSAGE_STATE = 0x0427, "message_state";
    CONGESTION_STATE = 0x0428, "congestion_state";
    USSD_SERVICE_OP = 0x0501, "ussd_service_op";
    BROADCAST_CHANNEL_INDICATOR = 0x0600, "broadcast_channel_indicator";
    BROADCAST_CONTENT_TYPE = 0x0601, "broadcast_content_type";
    BROADCAST_CONTENT_TYPE_INFO = 0x0602, "broadcast_content_type_info";
    BROADCAST_MESSAGE_CLASS = 0x0603, "broadcast_message_class";
    BROADCAST_REP_NUM = 0x0604, "broadcast_rep_num";
    BROADCAST_FREQUENCY_INTERVAL = 0x0605, "broadcast_frequency_interval";
    BROADCAST_AREA_IDENTIFIER = 0x0606, "broadcast_area_identifier";
    BROADCAST_ERROR_STATUS = 0x0607, "broadcast_error_status";
    BROADCAST_AREA_SUCCESS = 0x0608, "broadcast_area_success";
    BROADCAST_END_TIME = 0x0609, "broadcast_end_time";
    BROADCAST_SERVICE_GROUP = 0x060a, "broadcast_service_group";
    BILLING_IDENTIFICATION = 0x060b, "billing_identification";
    SOURCE_NETWORK_ID = 0x060d, "source_network_id";
    DEST_NETWORK_ID = 0x060e, "dest_network_id";
    SOURCE_NODE_ID = 0x060f, "source_node_id";
    DEST_NODE_ID = 0x0610, "dest_node_id";
    DEST_ADDR_NP_RESOLUTION = 0x0611, "dest_addr_np_resolution";
    DEST_ADDR_NP_INFORMATION = 0x0612, "dest_addr_np_information";
    DEST_ADDR_NP_COUNTRY = 0x0613, "dest_addr_np_country";
    DISPLAY_TIME = 0x1201, "display_time";
    SMS_SIGNAL = 0x1203, "sms_signal";
    MS_VALIDITY = 0x1204, "ms_validity";
    ALERT_ON_MESSAGE_DELIVERY = 0x130c, "alert_on_message_delivery";
    ITS_REPLY_TYPE = 0x1380, "its_reply_type";
    ITS_SESSION_INFO = 0x1383, "its_session_info";
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#06x}", self.0),
        }
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One optional parameter. `Debug` shows the value's length alone: it may be a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// Which parameter.
    pub tag: Tag,
    /// Its value, as long as it said.
    pub value: &'a [u8],
}

impl Tlv<'_> {
    /// The value as an integer, if it is one of 1, 2 or 4 octets.
    pub fn integer(&self) -> Option<u32> {
        match *self.value {
            [a] => Some(u32::from(a)),
            [a, b] => Some(u32::from(u16::from_be_bytes([a, b]))),
            [a, b, c, d] => Some(u32::from_be_bytes([a, b, c, d])),
            _ => None,
        }
    }
}

impl fmt::Debug for Tlv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.tag, self.value.len())
    }
}

/// The optional parameters of a PDU, in the order they came, known or not. The lengths were
/// checked when this was made, so that iterating never meets one that lies.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Tlvs<'a>(&'a [u8]);

impl<'a> Tlvs<'a> {
    /// No parameters.
    pub const NONE: Tlvs<'static> = Tlvs(&[]);

    /// Takes the rest of a PDU's body.
    ///
    /// # Errors
    /// [`DecodeErrorKind::TlvStream`] if a parameter is cut off or longer than what is left.
    pub fn parse(octets: &'a [u8]) -> Result<Tlvs<'a>, DecodeErrorKind> {
        let mut rest = octets;
        while !rest.is_empty() {
            (_, rest) = split(rest).ok_or(DecodeErrorKind::TlvStream)?;
        }
        Ok(Tlvs(octets))
    }

    /// As [`Tlvs::parse`], but keeps what stands before a parameter that does not fit: for
    /// responses, where losing the message id would cost more than a stray octet is worth.
    pub fn parse_leading(octets: &'a [u8]) -> Tlvs<'a> {
        let mut rest = octets;
        while let Some((_, after)) = split(rest) {
            rest = after;
        }
        let whole = octets.len() - rest.len();
        Tlvs(octets.get(..whole).unwrap_or_default())
    }

    /// Each parameter in turn.
    pub fn iter(&self) -> impl Iterator<Item = Tlv<'a>> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (tlv, after) = split(rest)?;
            rest = after;
            Some(tlv)
        })
    }

    /// The first parameter with this tag.
    pub fn get(&self, tag: Tag) -> Option<Tlv<'a>> {
        self.iter().find(|tlv| tlv.tag == tag)
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The parameters as they are on the wire.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

impl fmt::Debug for Tlvs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

fn split(octets: &[u8]) -> Option<(Tlv<'_>, &[u8])> {
    let (head, rest) = octets.split_first_chunk::<4>()?;
    let tag = Tag(u16::from_be_bytes([head[0], head[1]]));
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let (value, rest) = rest.split_at_checked(length)?;
    Some((Tlv { tag, value }, rest))
}

/// Optional parameters being built.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TlvBuf(SmallVec<[u8; 24]>);

impl TlvBuf {
    /// No parameters yet.
    pub fn new() -> TlvBuf {
        TlvBuf::default()
    }

    /// Adds a parameter at the end.
    ///
    /// # Errors
    /// [`EncodeError::TlvTooLong`] for a value above 65,535 octets.
    pub fn push(&mut self, tag: Tag, value: &[u8]) -> Result<(), EncodeError> {
        let length = u16::try_from(value.len()).map_err(|_| EncodeError::TlvTooLong(tag))?;
        self.0.extend_from_slice(&tag.0.to_be_bytes());
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(value);
        Ok(())
    }

    /// Adds a parameter of one octet.
    pub fn push_u8(&mut self, tag: Tag, value: u8) {
        self.0.extend_from_slice(&tag.0.to_be_bytes());
        self.0.extend_from_slice(&[0, 1, value]);
    }

    /// Adds a parameter of two octets.
    pub fn push_u16(&mut self, tag: Tag, value: u16) {
        self.0.extend_from_slice(&tag.0.to_be_bytes());
        self.0.extend_from_slice(&[0, 2]);
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    /// A view for reading and sending.
    pub fn as_tlvs(&self) -> Tlvs<'_> {
        Tlvs(&self.0)
    }
}

impl From<Tlvs<'_>> for TlvBuf {
    fn from(tlvs: Tlvs<'_>) -> TlvBuf {
        TlvBuf(SmallVec::from_slice(tlvs.0))
    }
}

impl fmt::Debug for TlvBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_tlvs().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_and_unknown_parameters_are_kept_in_order() {
        let mut built = TlvBuf::new();
        built.push_u16(Tag::SAR_MSG_REF_NUM, 0x1234);
        built.push_u8(Tag::SAR_TOTAL_SEGMENTS, 2);
        built.push(Tag(0x1400), b"vendor").unwrap();
        built.push(Tag::MESSAGE_PAYLOAD, b"").unwrap();
        let tlvs = Tlvs::parse(built.as_tlvs().as_bytes()).unwrap();
        let seen: Vec<_> = tlvs.iter().map(|t| (t.tag, t.value.to_vec())).collect();
        assert_eq!(
            seen,
            [
                (Tag::SAR_MSG_REF_NUM, vec![0x12, 0x34]),
                (Tag::SAR_TOTAL_SEGMENTS, vec![2]),
                (Tag(0x1400), b"vendor".to_vec()),
                (Tag::MESSAGE_PAYLOAD, vec![]),
            ]
        );
        assert_eq!(
            tlvs.get(Tag::SAR_MSG_REF_NUM).and_then(|t| t.integer()),
            Some(0x1234)
        );
        assert_eq!(
            tlvs.get(Tag::SAR_TOTAL_SEGMENTS).and_then(|t| t.integer()),
            Some(2)
        );
        assert_eq!(tlvs.get(Tag(0x1400)).and_then(|t| t.integer()), None);
        assert_eq!(tlvs.get(Tag::MESSAGE_STATE), None);
        assert!(!format!("{tlvs:?}").contains("vendor"));
        assert_eq!(
            built.push(Tag::MESSAGE_PAYLOAD, &vec![0; 65_536]),
            Err(EncodeError::TlvTooLong(Tag::MESSAGE_PAYLOAD))
        );
    }

    #[test]
    fn a_length_that_lies_is_an_error_or_the_end() {
        let octets = [0x04, 0x27, 0, 1, 2, 0x00, 0x1e, 0, 9, b'1'];
        assert_eq!(Tlvs::parse(&octets), Err(DecodeErrorKind::TlvStream));
        let leading = Tlvs::parse_leading(&octets);
        assert_eq!(leading.iter().count(), 1);
        assert_eq!(
            leading.get(Tag::MESSAGE_STATE).and_then(|t| t.integer()),
            Some(2)
        );
        for cut in 1..4 {
            assert_eq!(Tlvs::parse(&octets[..cut]), Err(DecodeErrorKind::TlvStream));
        }
        assert!(Tlvs::parse(&[]).unwrap().is_empty());
    }
}
