//! A log as a list that can be edited, and the certificate that is made of it: with hashes and
//! seals that fit, whatever it says.

use serde_json::{Value, json};

use super::*;
use crate::proof::{chain, genesis};

#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) seq: u64,
    pub(super) kind: &'static str,
    pub(super) at: Millis,
    pub(super) data: Value,
    pub(super) sealed: Option<Value>,
}

#[derive(Debug, Clone)]
pub(super) struct Lines {
    pub(super) auction: String,
    pub(super) all: Vec<Line>,
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Lines {
    pub(super) fn is_closed(&self) -> bool {
        self.all.iter().any(|line| line.kind == "auction.closed")
    }

    /// Every entry, chained and sealed anew, with the sealed texts if they are opened.
    pub(super) fn entries(&self, opened: bool) -> Vec<EntryText<'static>> {
        let mut head = genesis(&self.auction);
        let mut prev = 0;
        let mut entries = Vec::new();
        for line in &self.all {
            let mut data = line.data.clone();
            let sealed = line.sealed.as_ref().map(Value::to_string);
            if let Some(text) = &sealed {
                let mut hasher = blake3::Hasher::new();
                hasher.update(b"firstcome.seal.v1\0");
                hasher.update(text.as_bytes());
                data["seal"] = hex(hasher.finalize().as_bytes()).into();
            }
            let data = data.to_string();
            head = chain(&head, line.at, line.kind, data.as_bytes());
            entries.push(EntryText {
                seq: line.seq,
                prev,
                kind: line.kind.into(),
                at: line.at,
                data: data.into(),
                hash: hex(&head).into(),
                sealed: sealed.filter(|_| opened).map(Into::into),
            });
            prev = line.seq;
        }
        entries
    }

    pub(super) fn certificate(&self) -> String {
        let is_final = self.is_closed();
        print(&self.auction, is_final, &self.entries(is_final))
    }

    pub(super) fn verify(&self) -> Result<Verified, Violations> {
        verify(self.certificate().as_bytes())
    }

    /// The newest line of a kind.
    pub(super) fn last(&mut self, kind: &str) -> &mut Line {
        let found = self.all.iter_mut().rfind(|line| line.kind == kind);
        found.unwrap_or_else(|| panic!("no {kind}"))
    }

    pub(super) fn find(&self, kind: &str) -> usize {
        let found = self.all.iter().position(|line| line.kind == kind);
        found.unwrap_or_else(|| panic!("no {kind}"))
    }
}

/// The order of the fields is the one of the documentation.
pub(super) fn print(auction: &str, is_final: bool, entries: &[EntryText<'_>]) -> String {
    let head = entries.last().map_or_else(String::new, |newest| {
        format!(
            r#""head":{{"seq":{},"hash":{}}},"#,
            newest.seq,
            json!(newest.hash)
        )
    });
    let mut text = format!(
        r#"{{"format":"firstcome.certificate.v1","auction":{},"final":{is_final},{head}"entries":["#,
        json!(auction)
    );
    for (at, entry) in entries.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        text += &format!(
            r#"{comma}{{"seq":{},"prev":{},"kind":{},"at":{},"data":{},"hash":{}"#,
            entry.seq,
            entry.prev,
            json!(entry.kind),
            entry.at,
            json!(entry.data),
            json!(entry.hash)
        );
        if let Some(sealed) = &entry.sealed {
            text += &format!(r#","sealed":{}"#, json!(sealed));
        }
        text.push('}');
    }
    text.push_str("]}");
    text
}
