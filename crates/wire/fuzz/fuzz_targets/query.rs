//! The query protocol of both services: a form's body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::aws::{Form, Service, sns, sqs};

fuzz_target!(|data: &[u8]| {
    let Ok(form) = Form::parse("", data) else {
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
