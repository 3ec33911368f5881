use super::*;

fn entry(message: &str, structure: Option<&str>) -> PublishEntry {
    PublishEntry {
        message: message.to_owned(),
        message_structure: structure.map(str::to_owned),
        ..PublishEntry::default()
    }
}

fn refused(entry: PublishEntry) -> AwsError {
    match read(entry, "x.1.member.") {
        Err(Problem::Whole(error) | Problem::Entry(error)) => error,
        Ok(publication) => panic!("taken: {publication:?}"),
    }
}

#[test]
fn a_text_for_each_protocol() {
    let Ok(read) = read(entry(r#"{"default":"d","sqs":"q"}"#, Some("json")), "") else {
        panic!("refused");
    };
    assert_eq!(
        (read.message_for("sqs"), read.message_for("http")),
        ("q", "d")
    );
    let plain = entry("{}", None);
    assert!(super::read(plain, "").is_ok_and(|read| read.message == "{}"));
    for (message, structure) in [("{}", "json"), ("x", "json"), ("x", "yaml")] {
        let error = refused(entry(message, Some(structure)));
        assert_eq!(error.code, ErrorCode::InvalidParameter, "{message}");
    }
}

#[test]
fn an_attribute_without_a_type_is_told_by_its_place() {
    let error = refused(PublishEntry {
        message_attributes: BTreeMap::from([("a1".to_owned(), MessageAttribute::text("", "v"))]),
        ..entry("m", None)
    });
    assert_eq!(
        error,
        AwsError::new(
            ErrorCode::ValidationError,
            "1 validation error detected: Value null at \
             'x.1.member.messageAttributes.a1.member.dataType' failed to satisfy constraint: \
             Member must not be null"
        )
    );
}

#[test]
fn a_telephone_is_refused_as_amazon_refuses_a_number() {
    for (phone, reason) in [
        (
            "+1a234",
            "PhoneNumber Reason: +1a234 is not valid to publish to",
        ),
        ("", "PhoneNumber Reason:  is not valid to publish to"),
        (
            "+15551234567",
            "PhoneNumber Reason: text messages are not supported",
        ),
    ] {
        assert_eq!(no_phone(phone), invalid(reason));
    }
}
