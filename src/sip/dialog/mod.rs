//! Dialogs (RFC 3261 12): what two user agents keep of each other so that the requests between
//! them find their way and their order.

mod id;
mod route;

use std::fmt;
use std::sync::Arc;

pub use id::DialogId;

use route::RouteSet;

use crate::sip::message::{Message, Method, Name, Writer};
use crate::sip::transaction::{Cookie, Flow, Identity, Received, Response, Sources};

/// Why a message sets up no dialog that could be spoken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message sets up no usable dialog")]
pub(crate) struct Unusable;

/// One side of a dialog.
#[derive(Clone)]
pub(crate) struct Dialog {
    call_id: Arc<str>,
    /// Our From, tag included.
    local: Box<str>,
    /// Our To, tag included.
    remote: Box<str>,
    /// Empty for a peer of RFC 2543, which has none.
    remote_tag: Box<str>,
    /// The remote target: the peer's Contact.
    target: Box<str>,
    routes: RouteSet,
    next_hop: Flow,
    /// Where the peer was heard from; requests go there when the next hop is a name, which this
    /// core does not look up.
    heard_from: Flow,
    /// CSeq number of our last request.
    local_seq: u32,
    /// CSeq number of the peer's last request.
    remote_seq: Option<u32>,
}

/// Tags, numbers and addresses of people stay out of it.
impl fmt::Debug for Dialog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialog")
            .field("call_id", &self.call_id)
            .field("local_seq", &self.local_seq)
            .field("remote_seq", &self.remote_seq)
            .finish_non_exhaustive()
    }
}

impl Dialog {
    /// The caller's side, from a response with a To tag to its INVITE (RFC 3261 12.1.2).
    /// Without a Contact, which a 2xx must have, the To is what is left to aim at. `seq` is the
    /// INVITE's CSeq number.
    pub(crate) fn from_response(response: &Response<'_>, seq: u32) -> Dialog {
        let message = response.message;
        let contact = message.contact().or_else(|_| message.to());
        let target = contact.map(|contact| contact.uri()).ok();
        let routes = RouteSet::of_response(message);
        Dialog {
            call_id: Arc::from(response.call_id),
            local: field(message, Name::From),
            remote: field(message, Name::To),
            remote_tag: Box::from(response.to_tag),
            target: Box::from(target.map_or("sip:", |target| target.as_str())),
            next_hop: routes.next_hop(target.as_ref(), response.from),
            routes,
            heard_from: response.from,
            local_seq: seq,
            remote_seq: None,
        }
    }

    /// The callee's side, from an INVITE and the tag we give it (RFC 3261 12.1.1).
    pub(crate) fn from_request(request: &Received<'_>, tag: Cookie) -> Result<Dialog, Unusable> {
        let message = request.message;
        let target = message.contact().map_err(|_| Unusable)?.uri();
        let routes = RouteSet::of_request(message);
        Ok(Dialog {
            call_id: Arc::from(request.essentials.call_id),
            local: format!("{};tag={tag}", field(message, Name::To)).into(),
            remote: field(message, Name::From),
            remote_tag: Box::from(request.essentials.from_tag),
            target: Box::from(target.as_str()),
            next_hop: routes.next_hop(Some(&target), request.from),
            routes,
            heard_from: request.from,
            local_seq: 0,
            remote_seq: Some(request.essentials.cseq.number),
        })
    }

    /// Its name, for logs and records, with the tag that we gave.
    pub(crate) fn id(&self, local_tag: Cookie) -> DialogId {
        DialogId {
            call_id: self.call_id.clone(),
            local_tag: local_tag.to_string().into(),
            remote_tag: self.remote_tag.clone(),
        }
    }

    pub(crate) fn remote_tag(&self) -> &str {
        &self.remote_tag
    }

    /// CSeq number of our last request: after the INVITE's 2xx, that of its ACK.
    pub(crate) fn local_seq(&self) -> u32 {
        self.local_seq
    }

    /// The CSeq number of our next request.
    pub(crate) fn next_seq(&mut self) -> u32 {
        self.local_seq = self.local_seq.saturating_add(1);
        self.local_seq
    }

    /// Goes on with the numbers of the early dialog that this one was.
    pub(crate) fn go_on_from(&mut self, early: &Dialog) {
        self.local_seq = self.local_seq.max(early.local_seq);
    }

    /// What the peer's last request was numbered, where an early dialog counted it.
    pub(crate) fn set_remote_seq(&mut self, remote_seq: Option<u32>) {
        self.remote_seq = remote_seq;
    }

    /// Takes note of a request's number. False where it is out of order (RFC 3261 12.2.2), or
    /// the same in another transaction: a key pressed once must not count twice.
    pub(crate) fn accept_seq(&mut self, number: u32) -> bool {
        accept_seq(&mut self.remote_seq, number)
    }

    /// The peer moved (RFC 3261 12.2.1.2, 12.2.2).
    pub(crate) fn refresh_target(&mut self, message: &Message<'_>) {
        if let Ok(contact) = message.contact() {
            self.target = Box::from(contact.uri().as_str());
            self.next_hop = self.routes.next_hop(Some(&contact.uri()), self.heard_from);
        }
    }

    /// Where requests go.
    pub(crate) fn next_hop(&self) -> Flow {
        self.next_hop
    }

    /// Where the peer was heard from when the dialog was set up.
    pub(crate) fn heard_from(&self) -> Flow {
        self.heard_from
    }

    /// Whether our requests go to a host whose word counts in the call. Credentials are for no
    /// other: the phone itself may have asked to be spoken to past the carrier, and could guess
    /// the password by what it is sent.
    pub(crate) fn is_trusted(&self, sources: &Sources) -> bool {
        sources.believe(self.next_hop.remote.ip(), self.heard_from.remote.ip())
    }

    /// The Request-URI of our requests: the digest is made over it.
    pub(crate) fn request_uri(&self) -> &str {
        match self.routes.first() {
            Some(first) if !self.routes.is_loose() => first,
            _ => &self.target,
        }
    }

    /// Begins a request of this dialog (RFC 3261 12.2.1.1); the caller adds its own fields.
    pub(crate) fn request<'b>(
        &self,
        buffer: &'b mut Vec<u8>,
        identity: &Identity,
        cookie: Cookie,
        method: Method<'_>,
        seq: u32,
    ) -> Writer<'b> {
        let mut writer = Writer::request(buffer, method, self.request_uri());
        identity.write_via(&mut writer, cookie);
        writer.header(Name::MaxForwards, "70");
        self.routes.write(&mut writer, &self.target);
        writer
            .header(Name::From, &self.local)
            .header(Name::To, &self.remote)
            .header(Name::CallId, &self.call_id)
            .header_fmt(Name::CSeq, format_args!("{seq} {method}"))
            .header(Name::UserAgent, &identity.user_agent);
        writer
    }
}

/// Takes note of a request's number in a dialog, as [`Dialog::accept_seq`] does.
pub(crate) fn accept_seq(last: &mut Option<u32>, number: u32) -> bool {
    if last.is_some_and(|last| number <= last) {
        return false;
    }
    *last = Some(number);
    true
}

fn field(message: &Message<'_>, name: Name) -> Box<str> {
    message.header(name).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::transaction::{Handle, Transport};

    fn flow() -> Flow {
        Flow::udp("192.0.2.9:5062".parse().expect("an address"))
    }

    fn received<'a>(message: &'a Message<'a>) -> Received<'a> {
        Received {
            from: flow(),
            message,
            essentials: message.essentials().expect("whole"),
        }
    }

    fn identity() -> Identity {
        let address = "192.0.2.1:5060".parse().expect("an address");
        Identity::new(address, Transport::Udp, Arc::from("Ringtrue"))
    }

    fn cookie() -> Cookie {
        Cookie {
            handle: Handle {
                index: 0,
                generation: 0,
            },
            secret: 1,
        }
    }

    fn answer(extra: &str) -> String {
        format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n\
             From: \"A\" <sip:a@x>;tag=l\r\nTo: <sip:b@x>;tag=r\r\nCall-ID: c\r\n\
             CSeq: 4 INVITE\r\n{extra}\r\n"
        )
    }

    fn caller(extra: &str) -> Dialog {
        let text = answer(extra);
        let message = Message::parse(text.as_bytes()).expect("sound");
        let response = Response::read(&message, 200, flow(), &identity()).expect("whole");
        Dialog::from_response(&response, 4)
    }

    fn written(dialog: &Dialog, method: Method<'_>, seq: u32) -> String {
        let mut buffer = Vec::new();
        dialog
            .request(&mut buffer, &identity(), cookie(), method, seq)
            .finish()
            .expect("written");
        String::from_utf8(buffer).expect("text")
    }

    #[test]
    fn without_routes_requests_go_to_the_contact() {
        let mut dialog = caller("Contact: <sip:b@192.0.2.5:5070>\r\n");
        assert_eq!(dialog.next_hop().remote.to_string(), "192.0.2.5:5070");
        assert_eq!(dialog.next_seq(), 5);
        let bye = written(&dialog, Method::Bye, 5);
        assert!(bye.starts_with("BYE sip:b@192.0.2.5:5070 SIP/2.0\r\n"));
        assert!(bye.contains("From: \"A\" <sip:a@x>;tag=l\r\nTo: <sip:b@x>;tag=r\r\n"));
        assert!(!bye.contains("Route:"));
        let id = dialog.id(cookie());
        assert_eq!((&*id.remote_tag, &*id.call_id), ("r", "c"));
        assert_eq!(*id.local_tag, *cookie().to_string());
    }

    #[test]
    fn a_name_is_not_looked_up_but_answered_where_it_was_heard_from() {
        let dialog = caller("Contact: <sip:b@gw.example.com>\r\n");
        assert_eq!(dialog.next_hop(), flow());
        assert_eq!(dialog.request_uri(), "sip:b@gw.example.com");
    }

    #[test]
    fn loose_routes_are_reversed_for_the_caller() {
        let dialog = caller(
            "Contact: <sip:b@192.0.2.5>\r\nRecord-Route: <sip:192.0.2.31;lr>, <sip:p2;lr>\r\n\
             Record-Route: <sip:192.0.2.33:5080;lr>\r\n",
        );
        assert_eq!(dialog.next_hop().remote.to_string(), "192.0.2.33:5080");
        let ack = written(&dialog, Method::Ack, 4);
        assert!(ack.starts_with("ACK sip:b@192.0.2.5 SIP/2.0\r\n"));
        assert!(ack.contains(
            "Route: <sip:192.0.2.33:5080;lr>\r\nRoute: <sip:p2;lr>\r\nRoute: <sip:192.0.2.31;lr>\r\n"
        ));
        assert!(ack.contains("CSeq: 4 ACK\r\n"));
    }

    #[test]
    fn a_strict_router_gets_its_own_uri_and_the_target_last() {
        let dialog = caller(
            "Contact: <sip:b@192.0.2.5>\r\nRecord-Route: <sip:p2;lr>, <sip:192.0.2.33;x=y>\r\n",
        );
        assert_eq!(dialog.next_hop().remote.to_string(), "192.0.2.33:5060");
        let bye = written(&dialog, Method::Bye, 5);
        assert!(bye.starts_with("BYE sip:192.0.2.33;x=y SIP/2.0\r\n"));
        assert!(bye.contains("Route: <sip:p2;lr>\r\nRoute: <sip:b@192.0.2.5>\r\n"));
    }

    #[test]
    fn the_callees_side_keeps_the_order_of_routes() {
        let invite = Message::parse(
            b"INVITE sip:b@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKa\r\n\
              From: <sip:a@x>;tag=r\r\nTo: <sip:b@x>\r\nCall-ID: c\r\nCSeq: 9 INVITE\r\n\
              Contact: <sip:a@192.0.2.2:5066>\r\nRecord-Route: <sip:p1;lr>,<sip:p2;lr>\r\n\r\n",
        )
        .expect("sound");
        let mut dialog = Dialog::from_request(&received(&invite), cookie()).expect("a dialog");
        let seq = dialog.next_seq();
        let bye = written(&dialog, Method::Bye, seq);
        assert!(bye.starts_with("BYE sip:a@192.0.2.2:5066 SIP/2.0\r\n"));
        assert!(bye.contains("Route: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\n"));
        assert!(bye.contains(&format!("From: <sip:b@x>;tag={}\r\n", cookie())));
        assert!(bye.contains("To: <sip:a@x>;tag=r\r\n") && bye.contains("CSeq: 1 BYE\r\n"));
        assert!(!dialog.accept_seq(9));
        assert!(!dialog.accept_seq(3));
        assert!(dialog.accept_seq(12));
        assert!(!dialog.accept_seq(12));
    }

    #[test]
    fn the_target_moves_and_hostile_values_write_nothing() {
        let mut dialog = caller("Contact: <sip:b@192.0.2.5>\r\n");
        let text = answer("Contact: <sip:b@192.0.2.6>\r\n");
        dialog.refresh_target(&Message::parse(text.as_bytes()).expect("sound"));
        assert_eq!(dialog.request_uri(), "sip:b@192.0.2.6");
        assert!(!format!("{dialog:?}").contains("sip:"));
    }
}
