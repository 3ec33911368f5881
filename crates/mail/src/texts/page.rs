//! One e-mail as a heading, sentences, a table of facts and a link, and its two forms.

use std::fmt::Write as _;

use super::{Language, Text};

const URL_BYTES_MAX: usize = 2048;
/// Of a name that somebody else chose, in characters.
const NAME_CHARACTERS_MAX: usize = 200;

/// Reads on any background: the reader's own colours, a line of a middling grey.
const STYLE_BODY: &str = "margin:0;padding:24px 16px;font-family:system-ui,-apple-system,\
    'Segoe UI',Roboto,'Apple SD Gothic Neo','Malgun Gothic','Noto Sans KR',sans-serif;\
    font-size:16px;line-height:1.5";
const STYLE_BOX: &str = "max-width:560px;margin:0 auto";
const STYLE_HEADING: &str = "margin:0 0 16px;font-size:22px;line-height:1.3";
const STYLE_SENTENCE: &str = "margin:0 0 16px";
const STYLE_TABLE: &str = "width:100%;border-collapse:collapse;margin:0 0 16px";
const STYLE_LABEL: &str = "padding:8px 16px 8px 0;text-align:left;vertical-align:top;\
    font-weight:normal;border-bottom:1px solid #8b908c";
const STYLE_VALUE: &str = "padding:8px 0;text-align:right;vertical-align:top;\
    font-weight:bold;border-bottom:1px solid #8b908c;word-break:break-word";

/// An address of a page, `http` or `https`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an http or https URL of at most {URL_BYTES_MAX} ASCII characters")]
pub struct InvalidLink;

impl Link {
    pub fn new(url: &str) -> Result<Self, InvalidLink> {
        let rest = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"));
        let is_valid = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
            && url.len() <= URL_BYTES_MAX
            && url.bytes().all(|b| b.is_ascii_graphic());
        if is_valid {
            Ok(Self(url.to_owned()))
        } else {
            Err(InvalidLink)
        }
    }
}

/// What an e-mail says, without its form.
pub(super) struct Page<'a> {
    pub(super) language: Language,
    pub(super) subject: String,
    pub(super) heading: &'a str,
    pub(super) lead: String,
    pub(super) facts: Vec<(&'a str, String)>,
    pub(super) closing: Option<&'a str>,
    pub(super) link: Option<(&'a str, &'a Link)>,
}

impl Page<'_> {
    pub(super) fn into_text(self) -> Text {
        Text {
            text: self.plain(),
            html: self.html(),
            subject: self.subject,
        }
    }

    fn plain(&self) -> String {
        let mut out = format!("{}\n\n{}\n", self.heading, self.lead);
        if !self.facts.is_empty() {
            out.push('\n');
        }
        for (label, value) in &self.facts {
            writeln!(out, "{label}: {value}").expect(WRITES);
        }
        if let Some(closing) = self.closing {
            writeln!(out, "\n{closing}").expect(WRITES);
        }
        if let Some((label, link)) = self.link {
            writeln!(out, "\n{label}:\n{}", link.0).expect(WRITES);
        }
        out
    }

    fn html(&self) -> String {
        let language = self.language.tag();
        let title = escaped(&self.subject);
        let mut out = format!(
            "<!doctype html>\n<html lang=\"{language}\">\n<head>\n\
             <meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"supported-color-schemes\" content=\"light dark\">\n\
             <title>{title}</title>\n</head>\n\
             <body style=\"{STYLE_BODY}\">\n<div style=\"{STYLE_BOX}\">\n\
             <h1 style=\"{STYLE_HEADING}\">{}</h1>\n",
            escaped(self.heading)
        );
        let sentence = |out: &mut String, text: &str| {
            let text = escaped(text);
            writeln!(out, "<p style=\"{STYLE_SENTENCE}\">{text}</p>").expect(WRITES);
        };
        sentence(&mut out, &self.lead);
        if !self.facts.is_empty() {
            writeln!(out, "<table style=\"{STYLE_TABLE}\">").expect(WRITES);
            for (label, value) in &self.facts {
                writeln!(
                    out,
                    "<tr><th scope=\"row\" style=\"{STYLE_LABEL}\">{}</th>\
                     <td style=\"{STYLE_VALUE}\">{}</td></tr>",
                    escaped(label),
                    escaped(value)
                )
                .expect(WRITES);
            }
            out.push_str("</table>\n");
        }
        if let Some(closing) = self.closing {
            sentence(&mut out, closing);
        }
        if let Some((label, link)) = self.link {
            writeln!(
                out,
                "<p style=\"{STYLE_SENTENCE}\"><a href=\"{}\">{}</a></p>",
                escaped(&link.0),
                escaped(label)
            )
            .expect(WRITES);
        }
        out.push_str("</div>\n</body>\n</html>\n");
        out
    }
}

const WRITES: &str = "a string takes all that is written";

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A name that somebody else chose, fit for a subject: one line, and not endless.
pub(super) fn one_line(name: &str) -> String {
    let ends_a_line = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let mut line: String = name
        .chars()
        .take(NAME_CHARACTERS_MAX)
        .map(|c| if ends_a_line(c) { ' ' } else { c })
        .collect();
    if name.chars().nth(NAME_CHARACTERS_MAX).is_some() {
        line.push('…');
    }
    line
}
