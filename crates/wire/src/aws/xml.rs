//! Writing the XML of the query protocol.
//!
//! What always holds: the result is well-formed XML 1.0, whatever the texts are. A carriage
//! return is written as a reference, because a parser would make a line feed of it and the
//! MD5 of the body would no longer fit; a character that XML cannot carry becomes U+FFFD.

use super::form::Service;

pub(crate) struct Xml {
    out: String,
}

impl Xml {
    /// SQS opens with a declaration, SNS does not.
    pub(crate) fn new(service: Service) -> Self {
        Self {
            out: match service {
                Service::Sqs => "<?xml version=\"1.0\"?>".to_owned(),
                Service::Sns => String::new(),
            },
        }
    }

    pub(crate) fn root(&mut self, name: &str, service: Service, inside: impl FnOnce(&mut Self)) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push_str(" xmlns=\"");
        self.out.push_str(service.namespace());
        self.out.push_str("\">");
        inside(self);
        self.close(name);
    }

    pub(crate) fn element(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.open(name);
        inside(self);
        self.close(name);
    }

    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.open(name);
        self.escaped(text);
        self.close(name);
    }

    pub(crate) fn optional(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    pub(crate) fn number(&mut self, name: &str, number: i64) {
        self.text(name, &number.to_string());
    }

    pub(crate) fn empty(&mut self, name: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push_str("/>");
    }

    /// The answer of an action: its result, if it has one, and the request's id.
    pub(crate) fn response(
        service: Service,
        action: &str,
        request_id: &str,
        result: Option<&dyn Fn(&mut Self)>,
    ) -> Vec<u8> {
        let mut xml = Self::new(service);
        xml.root(&format!("{action}Response"), service, |xml| {
            if let Some(result) = result {
                xml.element(&format!("{action}Result"), |xml| result(xml));
            }
            xml.element("ResponseMetadata", |xml| xml.text("RequestId", request_id));
        });
        xml.into_bytes()
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out.into_bytes()
    }

    fn open(&mut self, name: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push('>');
    }

    fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    fn escaped(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.find(is_special) {
            let (plain, special) = rest.split_at(at);
            self.out.push_str(plain);
            let character = special.chars().next().expect("found just now");
            self.out.push_str(match character {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                '\r' => "&#xD;",
                _ => "\u{fffd}",
            });
            rest = &special[character.len_utf8()..];
        }
        self.out.push_str(rest);
    }
}

/// What XML 1.0 gives a meaning to, and what it cannot carry.
fn is_special(character: char) -> bool {
    match character {
        '&' | '<' | '>' | '"' | '\r' | '\u{fffe}' | '\u{ffff}' => true,
        '\t' | '\n' => false,
        _ => character < ' ',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_survive_a_parser() {
        let mut xml = Xml::new(Service::Sns);
        xml.text("a", "1 < 2 & \"3\" > 0\r\n\t\u{1}\u{ffff}한😀");
        assert_eq!(
            String::from_utf8(xml.into_bytes()).unwrap(),
            "<a>1 &lt; 2 &amp; &quot;3&quot; &gt; 0&#xD;\n\t\u{fffd}\u{fffd}한😀</a>"
        );
    }
}
