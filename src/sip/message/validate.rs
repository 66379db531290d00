//! What a message must have to be acted on (RFC 3261 8.1.1, 8.2).

use super::date::is_date;
use super::text::{number, trim};
use super::{Address, Fault, Message, Method, Name, StartLine, Uri};

impl Message<'_> {
    /// Checks what every user agent relies on: start line, Via, From, To, Call-ID, CSeq, routes,
    /// Max-Forwards and the length of the body. A request with a fault is answered with its
    /// [`status`](Fault::status), a response dropped.
    ///
    /// Fields that we could do without (Contact, Date, Expires) are held against a request that
    /// begins something; within a dialog, and in responses, they are ignored when malformed
    /// (8.2: a UAS "MUST ignore any malformed header fields that are not necessary"), for a
    /// refusal there would cost a running call.
    pub fn validate(&self) -> Result<(), Fault> {
        if let Some(fault) = self.start_fault.or(self.body_fault) {
            return Err(fault);
        }
        self.via()?;
        for via in self.vias() {
            via?;
        }
        self.from()?;
        let to = self.to()?;
        self.call_id()?;
        let cseq = self.cseq()?;
        let StartLine::Request { method, uri } = self.start() else {
            return Ok(());
        };
        if cseq.method != method {
            return Err(Fault::MethodMismatch);
        }
        let uri = Uri::parse(uri).map_err(|_| Fault::RequestUri)?;
        if uri.headers().is_some() {
            return Err(Fault::RequestUri);
        }
        for name in [Name::Route, Name::RecordRoute] {
            for route in self.addresses(name) {
                route?;
            }
        }
        if self
            .number(Name::MaxForwards)?
            .is_some_and(|hops| hops > 255)
        {
            return Err(Fault::Malformed(Name::MaxForwards));
        }
        if to.tag().is_none() {
            self.validate_beginning(method)?;
        }
        Ok(())
    }

    /// The fields that a request outside a dialog must have right besides.
    fn validate_beginning(&self, method: Method<'_>) -> Result<(), Fault> {
        let is_star = |e: &[u8]| e == b"*";
        let mut contacts = 0usize;
        let mut stars = 0usize;
        for element in self.elements(Name::Contact) {
            contacts += 1;
            if is_star(element) {
                stars += 1;
            } else if Address::from_bytes(element).is_err() {
                return Err(Fault::Malformed(Name::Contact));
            }
        }
        if stars > 0 && (method != Method::Register || contacts > 1) {
            return Err(Fault::Malformed(Name::Contact));
        }
        for date in self.raw(Name::Date) {
            if !is_date(trim(date)) {
                return Err(Fault::Malformed(Name::Date));
            }
        }
        for expires in self.raw(Name::Expires) {
            if number(trim(expires), u64::from(u32::MAX)).is_none() {
                return Err(Fault::Malformed(Name::Expires));
            }
        }
        Ok(())
    }
}
