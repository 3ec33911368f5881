//! A reader for the XML that the codecs write, strict enough to notice when it is not XML.

#[derive(Debug, PartialEq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) children: Vec<Self>,
    pub(crate) text: String,
}

impl Element {
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    pub(crate) fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }
}

pub(crate) fn parse(xml: &[u8]) -> Element {
    let text = std::str::from_utf8(xml).unwrap();
    let text = text.strip_prefix("<?xml version=\"1.0\"?>").unwrap_or(text);
    let (element, rest) = element(text);
    assert_eq!(rest, "", "something stands behind the root");
    element
}

fn element(text: &str) -> (Element, &str) {
    let text = text.strip_prefix('<').expect("an element opens");
    let (tag, mut rest) = text.split_once('>').expect("a tag closes");
    let (tag, is_empty) = match tag.strip_suffix('/') {
        Some(tag) => (tag, true),
        None => (tag, false),
    };
    let name = tag.split(' ').next().unwrap();
    let mut element = Element {
        name: name.to_owned(),
        children: Vec::new(),
        text: String::new(),
    };
    if is_empty {
        return (element, rest);
    }
    loop {
        if let Some(end) = rest.strip_prefix("</") {
            let end = end.strip_prefix(name).expect("tags close in order");
            rest = end.strip_prefix('>').expect("tags close in order");
            break;
        }
        if rest.starts_with('<') {
            let (child, after) = self::element(rest);
            element.children.push(child);
            rest = after;
        } else {
            let end = rest.find('<').expect("an element closes");
            element.text.push_str(&unescape(&rest[..end]));
            rest = &rest[end..];
        }
    }
    (element, rest)
}

/// As a parser does: a carriage return that is not a reference would become a line feed.
fn unescape(text: &str) -> String {
    assert!(!text.contains(['>', '"']));
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let (reference, after) = rest[at + 1..].split_once(';').expect("a reference ends");
        out.push(match reference {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "#xD" => '\r',
            _ => panic!("&{reference}; is no reference"),
        });
        rest = after;
    }
    out.push_str(rest);
    out
}
