//! Just enough XML to read the answers of the query protocol, as JSON would have them.

use serde_json::{Map, Value, json};

/// An element's children, or its text.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Elements(Vec<(String, Self)>),
    Text(String),
}

impl Node {
    /// The document: its root as the only child.
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Self {
        let mut rest = text;
        if let Some(after) = rest.strip_prefix("<?xml") {
            rest = after.split_once("?>").expect("a declaration ends").1;
        }
        let (name, node, rest) = element(rest);
        assert_eq!(rest, "", "nothing follows the root");
        Self::Elements(vec![(name, node)])
    }

    pub(crate) fn children(&self) -> &[(String, Self)] {
        match self {
            Self::Elements(children) => children,
            Self::Text(_) => &[],
        }
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        let mut children = self.children().iter();
        children
            .find(|(other, _)| other == name)
            .map(|(_, node)| node)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.child(name)? {
            Self::Text(text) => Some(text),
            Self::Elements(_) => None,
        }
    }
}

/// Name, content, and what follows it.
fn element(text: &str) -> (String, Node, &str) {
    let rest = text
        .strip_prefix('<')
        .unwrap_or_else(|| panic!("no element: {text}"));
    let (tag, rest) = rest.split_once('>').expect("a tag ends");
    if let Some(name) = tag.strip_suffix('/') {
        return (name.to_owned(), Node::Text(String::new()), rest);
    }
    let name = tag.split(' ').next().unwrap().to_owned();
    let close = format!("</{name}>");
    let mut rest = rest;
    if !rest.starts_with('<') || rest.starts_with(&close) {
        let (content, rest) = rest.split_once(&close).expect("an element ends");
        return (name, Node::Text(unescape(content)), rest);
    }
    let mut children = Vec::new();
    while !rest.starts_with("</") {
        let (name, node, after) = element(rest);
        children.push((name, node));
        rest = after;
    }
    let rest = rest.strip_prefix(&close).expect("elements are nested");
    (name, Node::Elements(children), rest)
}

fn unescape(text: &str) -> String {
    assert!(!text.contains('<'), "{text}");
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#xD;", "\r")
        .replace("&amp;", "&")
}

/// The result of an action as JSON would have it; numbers stay texts.
pub(crate) fn to_json(action: &str, result: &Node) -> Value {
    let mut object = Map::new();
    for (name, node) in result.children() {
        match (name.as_str(), list_of(action, name)) {
            (_, Some(list)) => {
                let item = to_json(action, node);
                let items = object.entry(list).or_insert_with(|| json!([]));
                items.as_array_mut().unwrap().push(item);
            }
            ("Attribute" | "MessageAttribute" | "Tag", None) => {
                let key = node.text("Name").or_else(|| node.text("Key"));
                let value = to_json(action, node.child("Value").expect("it has a value"));
                let map = object
                    .entry(format!("{name}s"))
                    .or_insert_with(|| json!({}));
                map[key.expect("it has a name")] = value;
            }
            _ => {
                object.insert(name.clone(), to_json(action, node));
            }
        }
    }
    match result {
        Node::Text(text) => json!(text),
        Node::Elements(_) => Value::Object(object),
    }
}

fn list_of(action: &str, element: &str) -> Option<&'static str> {
    match (action, element) {
        ("ListQueues", "QueueUrl") => Some("QueueUrls"),
        ("ListDeadLetterSourceQueues", "QueueUrl") => Some("queueUrls"),
        (_, "Message") if action == "ReceiveMessage" => Some("Messages"),
        (_, "BatchResultErrorEntry") => Some("Failed"),
        (_, "ListMessageMoveTasksResultEntry") => Some("Results"),
        (_, element) if element.ends_with("BatchResultEntry") => Some("Successful"),
        _ => None,
    }
}
