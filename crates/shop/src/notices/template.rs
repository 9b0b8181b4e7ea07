//! What a notice says: a template for each event and language. A mistake in one is found when it is loaded, with its
//! place, and not when the first buyer should have been told.

use std::collections::BTreeMap;
use std::path::Path;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use world::Disk;
use world::disk::Access;

use super::event::Event;
use super::keep::Letter;
use super::settings::Locale;

/// Bytes of a template, at most.
const TEMPLATE_BYTES_MOST: usize = 16 * 1024;
/// Bytes of what a template gives, at most.
const TEXT_BYTES_MOST: usize = 64 * 1024;
/// Bytes of a subject, at most: mail allows no longer line.
const SUBJECT_BYTES_MOST: usize = 200;
/// Steps that a template may take.
const FUEL: u64 = 50_000;

/// Why a template cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It cannot be read.
    #[error("template {name} cannot be read: {reason}")]
    Unreadable {
        /// Which.
        name: String,
        /// Why.
        reason: String,
    },
    /// It is wrong.
    #[error("template {name}, line {line}: {reason}")]
    Wrong {
        /// Which.
        name: String,
        /// In which line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// What it gives is too long, or has no subject.
    #[error("template {name} gives {what}")]
    Output {
        /// Which.
        name: String,
        /// What it gives.
        what: &'static str,
    },
}

/// All templates, checked.
#[derive(Debug)]
pub struct Templates(Environment<'static>);

/// The text that comes with Tidegate.
fn built_in(event: Event, locale: Locale) -> &'static str {
    match (event, locale) {
        (Event::Placed, Locale::En) => {
            "Your order {{ order }}\nWe hold {{ units }} for you in {{ sale }}. Please pay {{ due }}.\n"
        }
        (Event::Placed, Locale::Zh) => {
            "订单 {{ order }} 已提交\n已为您在「{{ sale }}」预留 {{ units }} 件商品，请支付 {{ due }}。\n"
        }
        (Event::Paid, Locale::En) => {
            "Order {{ order }} is paid\n{% if total_minor > 0 %}Thank you. We have {{ total }} for your order in {{ sale }}.{% else %}There is nothing to pay for your order in {{ sale }}.{% endif %}\n"
        }
        (Event::Paid, Locale::Zh) => {
            "订单 {{ order }} 支付成功\n{% if total_minor > 0 %}您在「{{ sale }}」的订单已支付 {{ total }}，感谢惠顾。{% else %}您在「{{ sale }}」的订单无需付款。{% endif %}\n"
        }
        (Event::PaymentReturned, Locale::En) => {
            "A payment of order {{ order }} goes back\nIt came too late or twice. You need to do nothing.\n"
        }
        (Event::PaymentReturned, Locale::Zh) => {
            "订单 {{ order }} 的一笔款项将退回\n该笔支付超时或重复，我们会自动原路退回，无需操作。\n"
        }
        (Event::Expired, Locale::En) => {
            "Order {{ order }} was not paid in time\nIts goods are on sale again. You paid nothing.\n"
        }
        (Event::Expired, Locale::Zh) => {
            "订单 {{ order }} 已超时关闭\n未在规定时间内支付，商品已释放，您没有付款。\n"
        }
        (Event::Cancelled, Locale::En) => {
            "Order {{ order }} is cancelled\n{% if back_minor > 0 %}{{ back }} in all comes back to you. {% endif %}{% if kept_minor > 0 %}{{ kept }} of what you paid does not come back. {% endif %}{% if back_minor + kept_minor == 0 %}You paid nothing. {% endif %}You need to do nothing.\n"
        }
        (Event::Cancelled, Locale::Zh) => {
            "订单 {{ order }} 已取消\n{% if back_minor > 0 %}共计 {{ back }} 将原路退回。{% endif %}{% if kept_minor > 0 %}已付款项中 {{ kept }} 按活动规则不予退还。{% endif %}{% if back_minor + kept_minor == 0 %}您没有付款。{% endif %}无需操作。\n"
        }
        (Event::Shipped, Locale::En) => "Order {{ order }} is on its way\nYour goods have left.\n",
        (Event::Shipped, Locale::Zh) => "订单 {{ order }} 已发货\n您的商品已在路上。\n",
        (Event::ShippedInPart, Locale::En) => {
            "A part of order {{ order }} is on its way\nThe rest cannot be sent; its price comes back to you.\n"
        }
        (Event::ShippedInPart, Locale::Zh) => {
            "订单 {{ order }} 部分发货\n其余商品无法发出，相应款项将原路退回。\n"
        }
        (Event::Delivered, Locale::En) => "Order {{ order }} has arrived\nEnjoy.\n",
        (Event::Delivered, Locale::Zh) => "订单 {{ order }} 已签收\n祝您使用愉快。\n",
        (Event::Refunded, Locale::En) => {
            "Money of order {{ order }} went back\n{{ refunded }} in all went back to you.\n"
        }
        (Event::Refunded, Locale::Zh) => "订单 {{ order }} 已退款\n累计退回 {{ refunded }}。\n",
        (Event::Fulfilled, Locale::En) => {
            "Order {{ order }} is with the carrier\nYou hear from us when it leaves.\n"
        }
        (Event::Fulfilled, Locale::Zh) => "订单 {{ order }} 已交承运商\n发出后我们会通知您。\n",
        (Event::NotFulfilled, Locale::En) => {
            "Order {{ order }} cannot be sent\nWe are sorry.{% if back_minor > 0 %} {{ back }} in all comes back to you.{% endif %}\n"
        }
        (Event::NotFulfilled, Locale::Zh) => {
            "订单 {{ order }} 无法配送\n非常抱歉。{% if back_minor > 0 %}共计 {{ back }} 将原路退回。{% endif %}\n"
        }
        // Named one by one, so that a new event does not compile until it has words of its own.
        (
            Event::Offered
            | Event::Deposited
            | Event::BalanceLapsed
            | Event::Difference
            | Event::TeamGaveBack
            | Event::Won
            | Event::TeamComplete,
            locale,
        ) => built_in_of_offer(event, locale),
    }
}

/// The text that comes with Tidegate for teams, dues and the waiting line.
fn built_in_of_offer(event: Event, locale: Locale) -> &'static str {
    match (event, locale) {
        (Event::Offered, Locale::En) => {
            "It is your turn: order {{ order }}\nWe hold {{ units }} for you in {{ sale }}, for a short time. Please pay {{ due }}.\n"
        }
        (Event::Offered, Locale::Zh) => {
            "轮到您了：订单 {{ order }}\n已为您在「{{ sale }}」短暂预留 {{ units }} 件商品，请尽快支付 {{ due }}。\n"
        }
        (Event::Deposited, Locale::En) => {
            "The deposit of order {{ order }} is paid\nIts goods are held for you. Please pay the balance of {{ due }}{% if due_from %} from {{ due_from }} until {{ due_until }}{% endif %}.\n"
        }
        (Event::Deposited, Locale::Zh) => {
            "订单 {{ order }} 定金支付成功\n商品已为您保留，请{% if due_from %}于 {{ due_from }} 至 {{ due_until }} {% endif %}支付尾款 {{ due }}。\n"
        }
        (Event::BalanceLapsed, Locale::En) => {
            "The balance of order {{ order }} was not paid in time\nIts goods are on sale again.{% if back_minor > 0 %} {{ back }} in all comes back to you.{% endif %}{% if kept_minor > 0 %} The deposit of {{ kept }} does not come back.{% endif %}\n"
        }
        (Event::BalanceLapsed, Locale::Zh) => {
            "订单 {{ order }} 尾款逾期未付\n商品已释放。{% if back_minor > 0 %}共计 {{ back }} 将原路退回。{% endif %}{% if kept_minor > 0 %}定金 {{ kept }} 不予退还。{% endif %}\n"
        }
        (Event::Difference, Locale::En) => {
            "Order {{ order }} became cheaper\nYour team reached a better price; the difference comes back to you.\n"
        }
        (Event::Difference, Locale::Zh) => {
            "订单 {{ order }} 拼团成功，差价退回\n您的团达到了更优惠的价格，差价将原路退回。\n"
        }
        (Event::Won, Locale::En) => {
            "Order {{ order }} was drawn\nYou won. Your goods are on their way soon.\n"
        }
        (Event::Won, Locale::Zh) => "订单 {{ order }} 中奖了\n恭喜，商品将很快发出。\n",
        (Event::TeamComplete, Locale::En) => {
            "The team of order {{ order }} is complete\nYour goods are on their way soon.\n"
        }
        (Event::TeamComplete, Locale::Zh) => "订单 {{ order }} 拼团成功\n商品将很快发出。\n",
        // `TeamGaveBack`: all others stand above or before.
        (_, Locale::En) => {
            "Order {{ order }} ends with its team\nYour team did not come about, or you were not drawn.{% if back_minor > 0 %} {{ back }} in all comes back to you.{% endif %} You need to do nothing.\n"
        }
        (_, Locale::Zh) => {
            "订单 {{ order }} 已随团结束\n未能成团或未中奖。{% if back_minor > 0 %}共计 {{ back }} 将自动原路退回。{% endif %}无需操作。\n"
        }
    }
}

impl Templates {
    /// The templates that come with Tidegate.
    ///
    /// # Errors
    /// None that a test would not have found.
    pub fn built_in() -> Result<Self, TemplateError> {
        Self::of(&BTreeMap::new())
    }

    /// The same, with those of a directory in their places.
    ///
    /// # Errors
    /// [`TemplateError`] with the place.
    pub fn load(disk: &dyn Disk, dir: &Path) -> Result<Self, TemplateError> {
        let unreadable = |name: &str, reason: String| TemplateError::Unreadable {
            name: name.to_owned(),
            reason,
        };
        let listed = disk.list(dir);
        let listed =
            listed.map_err(|error| unreadable(&dir.to_string_lossy(), error.to_string()))?;
        let mut own = BTreeMap::new();
        for file in listed {
            let Some(name) = file.strip_suffix(".txt") else {
                continue;
            };
            if !names().any(|known| known == name) {
                return Err(unreadable(&file, "it names no event and language".into()));
            }
            let text = read(disk, &dir.join(&file)).map_err(|reason| unreadable(&file, reason))?;
            own.insert(name.to_owned(), text);
        }
        Self::of(&own)
    }

    fn of(own: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        for &event in Event::ALL {
            for &locale in Locale::ALL {
                let name = name_of(event, locale);
                let text = own.get(&name).cloned();
                let text = text.unwrap_or_else(|| built_in(event, locale).to_owned());
                let added = environment.add_template_owned(name.clone(), text);
                added.map_err(|error| wrong(&name, &error))?;
            }
        }
        let templates = Self(environment);
        // Each is tried with and without sums, so that a name which does not exist is found now.
        for &event in Event::ALL {
            for &locale in Locale::ALL {
                for letter in &Letter::examples(event) {
                    templates.render(letter, locale)?;
                }
            }
        }
        Ok(templates)
    }

    /// Subject and text of a letter.
    ///
    /// # Errors
    /// [`TemplateError`] when it gives too much or too little.
    pub fn render(
        &self,
        letter: &Letter,
        locale: Locale,
    ) -> Result<(String, String), TemplateError> {
        let name = name_of(letter.event, locale);
        let template = self.0.get_template(&name);
        let template = template.map_err(|error| wrong(&name, &error))?;
        let text = template.render(context! {
            order => letter.order_id(),
            sale => &letter.sale_title,
            buyer => &letter.buyer,
            units => letter.units,
            total => letter.money(letter.total_minor),
            total_minor => letter.total_minor,
            refunded => letter.money(letter.refunded_minor),
            due => letter.money(letter.due_minor),
            due_minor => letter.due_minor,
            due_from => &letter.due_window.0,
            due_until => &letter.due_window.1,
            back => letter.money(letter.back_minor),
            back_minor => letter.back_minor,
            kept => letter.money(letter.kept_minor),
            kept_minor => letter.kept_minor,
        });
        let text = text.map_err(|error| wrong(&name, &error))?;
        let output = |what| TemplateError::Output {
            name: name.clone(),
            what,
        };
        if text.len() > TEXT_BYTES_MOST {
            return Err(output("more than 64 KiB"));
        }
        let (subject, body) = text.split_once('\n').unwrap_or((text.as_str(), ""));
        if subject.trim().is_empty() {
            return Err(output("no subject in its first line"));
        }
        if subject.len() > SUBJECT_BYTES_MOST || subject.chars().any(char::is_control) {
            return Err(output("a subject that is too long or no plain text"));
        }
        Ok((subject.trim().to_owned(), body.to_owned()))
    }
}

fn names() -> impl Iterator<Item = String> {
    let events = Event::ALL.iter();
    events.flat_map(|event| Locale::ALL.iter().map(|locale| name_of(*event, *locale)))
}

fn name_of(event: Event, locale: Locale) -> String {
    format!("{}.{}", event.name(), locale.name())
}

fn wrong(name: &str, error: &minijinja::Error) -> TemplateError {
    let mut reason = error.to_string();
    if let Some(detail) = error.detail() {
        reason = detail.to_owned();
    }
    TemplateError::Wrong {
        name: name.to_owned(),
        line: error.line().unwrap_or(1),
        reason,
    }
}

fn read(disk: &dyn Disk, path: &Path) -> Result<String, String> {
    let said = |error: std::io::Error| error.to_string();
    let file = disk.open(path, Access::Read).map_err(said)?;
    let length = usize::try_from(file.len().map_err(said)?).unwrap_or(usize::MAX);
    if length > TEMPLATE_BYTES_MOST {
        return Err("it is larger than 16 KiB".into());
    }
    let mut bytes = vec![0; length];
    let read = file.read_at(0, &mut bytes).map_err(said)?;
    bytes.truncate(read);
    String::from_utf8(bytes).map_err(|_| "it is no UTF-8".into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn own(text: &str) -> Result<Templates, TemplateError> {
        Templates::of(&BTreeMap::from([("paid.en".to_owned(), text.to_owned())]))
    }

    #[test]
    fn every_event_is_told_in_both_languages() {
        let templates = Templates::built_in().unwrap();
        for &event in Event::ALL {
            for &locale in Locale::ALL {
                let letter = &Letter::examples(event)[0];
                let (subject, text) = templates.render(letter, locale).unwrap();
                assert!(subject.contains(&letter.order_id()), "{subject}");
                assert!(!text.is_empty());
                let chinese = subject.chars().any(|char| char > '\u{2e80}');
                assert_eq!(chinese, locale == Locale::Zh, "{subject}");
            }
        }
    }

    #[test]
    fn a_mistake_is_found_when_it_is_loaded_with_its_place() {
        let said = |text: &str| own(text).unwrap_err().to_string();
        assert!(said("Paid\n\n{{ order").starts_with("template paid.en, line 3"));
        assert!(said("Paid\n{{ ordre }}\n").starts_with("template paid.en, line 2"));
        assert!(said("\nno subject\n").contains("no subject"));
        assert!(
            said("{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}")
                .contains("fuel")
        );
    }

    #[test]
    fn nobody_is_promised_money_that_does_not_come_back() {
        let templates = Templates::built_in().unwrap();
        for event in [Event::Cancelled, Event::BalanceLapsed, Event::TeamGaveBack] {
            for &locale in Locale::ALL {
                let told = |back_minor, kept_minor| {
                    let letter = Letter {
                        back_minor,
                        kept_minor,
                        ..Letter::example(event)
                    };
                    templates.render(&letter, locale).unwrap().1
                };
                assert!(told(1_250, 0).contains("12.50 EUR"), "{event:?}");
                assert!(!told(0, 0).contains("EUR"), "{event:?}: {}", told(0, 0));
                let keeps = event != Event::TeamGaveBack;
                assert_eq!(told(0, 300).contains("3.00 EUR"), keeps, "{event:?}");
            }
        }
    }
}
