//! Money and counts as a person reads them, like `format.js` of the pages: an integer in minor
//! units until it is written.

use commerce::{Currency, Money, Quantity};

use super::Language;

/// Decimal places of a currency's minor unit (ISO 4217). `format.js` of the pages has the same
/// table, and a test of the pages compares them: what a browser says by itself (CLDR) differs, for
/// example for HUF and IQD.
pub fn minor_digits(currency: Currency) -> usize {
    match currency.as_str() {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
        | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

/// `₩12,000`, `$4.50`, `CHF 4.50` with a space that does not break.
pub(super) fn money(amount: Money, currency: Currency, language: Language) -> String {
    written(minor(amount), currency, language)
}

/// Of so many at this price. In 128 bits, because a million of the dearest fit in no less.
pub(super) fn total(
    price: Money,
    quantity: Quantity,
    currency: Currency,
    language: Language,
) -> String {
    written(
        minor(price) * u128::from(quantity.units()),
        currency,
        language,
    )
}

/// `12,345`: both languages part thousands with a comma.
pub(super) fn count(number: u64) -> String {
    grouped(&number.to_string())
}

fn minor(amount: Money) -> u128 {
    u128::try_from(amount.minor()).expect("an amount is not negative")
}

fn written(minor: u128, currency: Currency, language: Language) -> String {
    let digits = minor_digits(currency);
    let all = format!("{minor:0>width$}", width = digits + 1);
    let (whole, fraction) = all.split_at(all.len() - digits);
    let point = if fraction.is_empty() { "" } else { "." };
    let sign = sign(&currency, language).unwrap_or(currency.as_str());
    // A sign that is not a symbol stands apart (CLDR, currencySpacing).
    let is_symbol = sign.ends_with(['$', '€', '£', '¥', '₩', '₪', '₫', '₱', '₹']);
    let space = if is_symbol { "" } else { "\u{a0}" };
    format!("{sign}{space}{}{point}{fraction}", grouped(whole))
}

/// The signs that are not the code itself (CLDR 48).
fn sign(currency: &Currency, language: Language) -> Option<&'static str> {
    let in_both = match currency.as_str() {
        "BRL" => "R$",
        "CAD" => "CA$",
        "CNY" => "CN¥",
        "EUR" => "€",
        "GBP" => "£",
        "HKD" => "HK$",
        "ILS" => "₪",
        "INR" => "₹",
        "KRW" => "₩",
        "MXN" => "MX$",
        "NZD" => "NZ$",
        "TWD" => "NT$",
        "VND" => "₫",
        "XAF" => "FCFA",
        "XCD" => "EC$",
        "XOF" => "F\u{202f}CFA",
        "XPF" => "CFPF",
        other => {
            return match (other, language) {
                ("AUD", Language::English) => Some("A$"),
                ("AUD", Language::Korean) => Some("AU$"),
                ("JPY", Language::English) => Some("¥"),
                ("JPY", Language::Korean) => Some("JP¥"),
                ("PHP", Language::English) => Some("₱"),
                ("USD", Language::English) => Some("$"),
                ("USD", Language::Korean) => Some("US$"),
                (_, Language::English | Language::Korean) => None,
            };
        }
    };
    Some(in_both)
}

fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::new(code).unwrap()
    }

    /// What `Intl.NumberFormat` of the pages writes (Node 20, ICU 78).
    #[test]
    fn money_is_written_as_the_pages_write_it() {
        let check = |minor: i64, code: &str, english: &str, korean: &str| {
            let amount = Money::new(minor).unwrap();
            let write = |language| money(amount, currency(code), language);
            assert_eq!(write(Language::English), english);
            assert_eq!(write(Language::Korean), korean);
        };
        check(0, "KRW", "₩0", "₩0");
        check(12_000, "KRW", "₩12,000", "₩12,000");
        check(999, "JPY", "¥999", "JP¥999");
        check(1_234_567, "VND", "₫1,234,567", "₫1,234,567");
        check(0, "USD", "$0.00", "US$0.00");
        check(5, "USD", "$0.05", "US$0.05");
        check(450, "EUR", "€4.50", "€4.50");
        check(123_456_789, "USD", "$1,234,567.89", "US$1,234,567.89");
        check(123_450, "CHF", "CHF\u{a0}1,234.50", "CHF\u{a0}1,234.50");
        check(
            1_234,
            "XOF",
            "F\u{202f}CFA\u{a0}1,234",
            "F\u{202f}CFA\u{a0}1,234",
        );
        check(1_234_567, "KWD", "KWD\u{a0}1,234.567", "KWD\u{a0}1,234.567");
        check(450, "PHP", "₱4.50", "PHP\u{a0}4.50");
        check(450, "XYZ", "XYZ\u{a0}4.50", "XYZ\u{a0}4.50");
    }

    #[test]
    fn the_total_of_the_dearest_is_whole() {
        let total = total(
            Money::new(commerce::PRICE_MAX).unwrap(),
            Quantity::new(Quantity::MAX).unwrap(),
            currency("KRW"),
            Language::Korean,
        );
        assert_eq!(total, "₩1,000,000,000,000,000,000,000");
    }
}
