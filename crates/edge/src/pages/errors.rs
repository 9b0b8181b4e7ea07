//! Help pages of error codes, from `docs/errors`.

use super::{STYLE, markdown};
use api::Code;
use maud::{DOCTYPE, html};

macro_rules! texts {
    ($($code:literal)*) => {
        /// The help page of each code, as it stands in the documentation.
        const TEXTS: &[(&str, &str)] = &[$(($code, include_str!(concat!("../../../../docs/errors/", $code, ".md")))),*];
    };
}

texts! {
    "TG-1001" "TG-1002" "TG-1003" "TG-1004" "TG-1005" "TG-1006" "TG-1007" "TG-1008"
    "TG-1009" "TG-1010" "TG-1011" "TG-1101" "TG-1102" "TG-1103" "TG-1104" "TG-1111"
    "TG-1112" "TG-1113" "TG-2001"
    "TG-2002" "TG-2003" "TG-2004" "TG-2005" "TG-2006" "TG-2101" "TG-2102" "TG-2103" "TG-2104" "TG-2105"
    "TG-2106" "TG-2107" "TG-2108" "TG-2109" "TG-2110" "TG-2111" "TG-2112" "TG-2120"
    "TG-2130" "TG-2131" "TG-2132" "TG-2133" "TG-2134" "TG-2135" "TG-2136" "TG-2137"
    "TG-2138" "TG-2139" "TG-2401" "TG-2402" "TG-2403" "TG-3001"
    "TG-3002" "TG-3003" "TG-3004" "TG-3005" "TG-4001" "TG-4002" "TG-4003" "TG-4004"
    "TG-4005" "TG-4006" "TG-4007" "TG-4008" "TG-4009" "TG-4010" "TG-4401" "TG-5001"
}

/// The help page of a code.
pub(crate) fn page(code: Code) -> Option<String> {
    let (_, text) = TEXTS.iter().find(|(name, _)| *name == code.as_str())?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (code.as_str()) " " (code.title()) " · Tidegate" }
                style { (maud::PreEscaped(STYLE)) }
            }
            body { main class="text" { (markdown::render(text)) } }
        }
    };
    Some(page.into_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page_with_its_own_title() {
        for code in Code::ALL {
            let title = format!(
                "<h1>{} {}</h1>",
                code.as_str(),
                code.title().replace('&', "&amp;")
            );
            assert!(
                page(*code).is_some_and(|page| page.contains(&title)),
                "{}",
                code.as_str()
            );
        }
    }
}
