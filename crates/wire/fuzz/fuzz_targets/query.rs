//! The query protocol of both services: the first line is the URL's query, the rest the form in the
//! body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::aws::{Form, Service, sns, sqs};

fuzz_target!(|data: &[u8]| {
    let mut lines = data.splitn(2, |&byte| byte == b'\n');
    let (query, body) = (
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
    );
    let Ok(query) = std::str::from_utf8(query) else {
        return;
    };
    let Ok(form) = Form::parse(query, body) else {
        return;
    };
    let _service = form.service(None);
    if let Err(error) = sns::Request::from_form(&form) {
        drop(error.to_xml(Service::Sns, "r"));
    }
    if let Err(error) = sqs::Request::from_form(form, "/000000000000/q") {
        drop(error.to_xml(Service::Sqs, "r"));
    }
});
