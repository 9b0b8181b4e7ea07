//! The pages of device sign-in, for people who find typing hard: big letters, two steps, Chinese and English.

use super::STYLE;
use super::words::Language;
use api::{Code, Problem};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};

const SCRIPT: &str = include_str!("device.js");
const BIG: &str = "
main.device { max-width: 720px; text-align: center; font-size: 1.5rem; }
.device h1 { font-size: 2.2rem; margin-bottom: 20px; }
.device .code { font: 700 min(17vw, 5.5rem)/1.1 ui-monospace, Menlo, Consolas, monospace; letter-spacing: .04em; margin: 12px 0 20px; }
.device .qr svg { width: min(80vw, 420px); height: auto; background: #fff; padding: 16px; border-radius: 16px; }
.device input { font: 700 2.4rem/1.4 ui-monospace, Menlo, monospace; width: 11ch; text-align: center; text-transform: uppercase; }
.device button { display: block; width: 100%; font-size: 2rem; padding: 22px; margin: 16px 0; border-radius: 16px; }
.device [role=status] { min-height: 2em; font-weight: 600; }
";

struct Words {
    title: &'static str,
    ask: &'static str,
    typed: &'static str,
    allow: &'static str,
    deny: &'static str,
    allowed: &'static str,
    denied: &'static str,
    calls: &'static str,
    nameless: &'static str,
    again: &'static str,
    unknown: &'static str,
    nobody: &'static str,
    failed: &'static str,
}

const ENGLISH: Words = Words {
    title: "Sign in your device",
    ask: "Does your device show this code?",
    typed: "Type the code that your device shows",
    allow: "Yes, sign it in",
    deny: "No",
    allowed: "Done. Look at your device.",
    denied: "The device was not signed in.",
    calls: "The device calls itself",
    nameless: "The device gives no name.",
    again: "Is this your device? Then press Yes once more. Never sign in a device by a code that somebody sent you.",
    unknown: "This code is not known or has ended. Ask your device for a new one.",
    nobody: "Open this page from the shop's app, where you are signed in.",
    failed: "That did not work. Please try once more.",
};

const CHINESE: Words = Words {
    title: "登录您的设备",
    ask: "您的设备上显示的是这个代码吗？",
    typed: "请输入设备上显示的代码",
    allow: "是，登录",
    deny: "不是",
    allowed: "已完成，请查看您的设备。",
    denied: "设备未登录。",
    calls: "设备自称",
    nameless: "该设备没有名称。",
    again: "这是您的设备吗？如果是，请再按一次“是”。切勿使用他人发来的代码登录设备。",
    unknown: "代码无效或已过期，请在设备上获取新代码。",
    nobody: "请在已登录的商店应用中打开此页面。",
    failed: "操作未成功，请再试一次。",
};

/// The page on the buyer's phone: one question, two buttons. What the device calls itself is asked for with the buyer's
/// token, so that codes cannot be tried out without one, and is put in as text.
pub(crate) fn approve(code: Option<&str>, language: Language, nonce: &str) -> String {
    let words = match language {
        Language::English => &ENGLISH,
        Language::Chinese => &CHINESE,
    };
    let body = html! {
        h1 { (words.title) }
        @match code {
            Some(code) => { p { (words.ask) } p id="code" class="code" { (code) } }
            None => {
                p { label for="typed" { (words.typed) } }
                input id="typed" autocomplete="off" autocapitalize="characters" maxlength="9" placeholder="BCDF-GHJK";
            }
        }
        p id="device" data-calls=(words.calls) data-nameless=(words.nameless) {}
        button id="allow" class="main" { (words.allow) }
        button id="deny" { (words.deny) }
        p id="said" role="status" data-approve=(words.allowed) data-deny=(words.denied) data-again=(words.again)
            data-unknown=(words.unknown) data-nobody=(words.nobody) data-failed=(words.failed) {}
        script nonce=(nonce) { (PreEscaped(SCRIPT)) }
    };
    whole(language.tag(), words.title, &body, nonce)
}

/// The page that a device shows: the QR code, and the letters for whoever cannot scan, in both languages at once.
pub(crate) fn show(code: &str, link: &str, nonce: &str) -> Result<String, Problem> {
    let picture = qr(link)?;
    let picture = picture.split_once("<svg").map_or("", |(_, rest)| rest);
    let body = html! {
        h1 { "扫一扫登录" br; "Scan to sign in" }
        p class="qr" { (PreEscaped(format!("<svg role=\"img\" aria-label=\"{code}\"{picture}"))) }
        p class="code" { (code) }
        p { "用手机扫码，然后按“是”。" br; "Scan with your phone, then press Yes." }
    };
    Ok(whole("zh-CN", "扫一扫登录 · Scan to sign in", &body, nonce))
}

/// A link as a QR code that survives a scratch.
pub(crate) fn qr(link: &str) -> Result<String, Problem> {
    let code = QrCode::with_error_correction_level(link, EcLevel::M)
        .map_err(|_| Problem::because(Code::Internal, "the link is too long for a QR code"))?;
    Ok(code
        .render::<svg::Color<'_>>()
        .min_dimensions(320, 320)
        .build())
}

fn whole(language: &str, title: &str, body: &Markup, nonce: &str) -> String {
    let page = html! {
        (DOCTYPE)
        html lang=(language) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style nonce=(nonce) { (PreEscaped(STYLE)) (PreEscaped(BIG)) }
            }
            body { main class="device" { (body) } }
        }
    };
    page.into_string()
}
