//! The text of a rule, read and answered in one go: `&&`, `||`, `!`, comparisons, `in`, sums, products, brackets, lists.
//!
//! ```text
//!   or   = and { "||" and }          sum     = product { ("+" | "-") product }
//!   and  = test { "&&" test }        product = one { ("*" | "/" | "%") one }
//!   test = sum [ op sum ]            one     = "!" one | "-" one | "(" or ")" | list | number | text | name
//! ```

/// A value of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Bool(bool),
    Int(i64),
    Text(String),
    List(Vec<Value>),
}

impl Value {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// The text is beyond this reader.
    Text,
    /// A fact is missing, or a number is out of range: whoever asks is refused.
    Run,
}

type Answer = Result<Value, Wrong>;

/// What a text says, where `fact` knows the facts by their names.
pub(super) fn answer(text: &str, fact: &dyn Fn(&str) -> Answer) -> Result<bool, Wrong> {
    let tokens = tokens(text).ok_or(Wrong::Text)?;
    let mut reader = Reader {
        tokens: &tokens,
        fact,
    };
    let value = reader.or()?;
    match (reader.tokens, value?) {
        ([], Value::Bool(answer)) => Ok(answer),
        _ => Err(Wrong::Text),
    }
}

/// Signs, words and quoted texts; a quoted text keeps its first quote.
fn tokens(text: &str) -> Option<Vec<&str>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let (token, skip) = match first {
            '\'' | '"' => {
                let end = rest[1..].find(first)? + 1;
                (&rest[..end], end + 1)
            }
            c if word(c) => {
                let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
                (&rest[..end], end)
            }
            _ => {
                let signs = ["&&", "||", "==", "!=", "<=", ">="];
                let two = signs.iter().any(|sign| rest.starts_with(sign));
                let end = if two { 2 } else { first.len_utf8() };
                (&rest[..end], end)
            }
        };
        tokens.push(token);
        rest = rest[skip..].trim_start();
    }
    Some(tokens)
}

/// Reads on; the outer result is about the text, the inner one about its value.
struct Reader<'a> {
    tokens: &'a [&'a str],
    fact: &'a dyn Fn(&str) -> Answer,
}

type Read = Result<Answer, Wrong>;

impl<'a> Reader<'a> {
    /// Takes the next token if it is one of these.
    fn takes(&mut self, any: &[&str]) -> Option<&'a str> {
        let (first, rest) = self.tokens.split_first()?;
        let found = any.contains(first);
        found.then(|| {
            self.tokens = rest;
            *first
        })
    }

    fn or(&mut self) -> Read {
        let mut value = self.and()?;
        while self.takes(&["||"]).is_some() {
            value = decided(true, value, self.and()?);
        }
        Ok(value)
    }

    fn and(&mut self) -> Read {
        let mut value = self.test()?;
        while self.takes(&["&&"]).is_some() {
            value = decided(false, value, self.test()?);
        }
        Ok(value)
    }

    fn test(&mut self) -> Read {
        let left = self.sum()?;
        match self.takes(&["==", "!=", "<", "<=", ">", ">=", "in"]) {
            None => Ok(left),
            Some(op) => {
                let right = self.sum()?;
                Ok(left.and_then(|left| compared(op, left, right?)))
            }
        }
    }

    fn sum(&mut self) -> Read {
        let mut value = self.product()?;
        while let Some(op) = self.takes(&["+", "-"]) {
            value = counted(op, value, self.product()?);
        }
        Ok(value)
    }

    fn product(&mut self) -> Read {
        let mut value = self.one()?;
        while let Some(op) = self.takes(&["*", "/", "%"]) {
            value = counted(op, value, self.one()?);
        }
        Ok(value)
    }

    fn one(&mut self) -> Read {
        if self.takes(&["!"]).is_some() {
            return Ok(match self.one()? {
                Ok(Value::Bool(is)) => Ok(Value::Bool(!is)),
                Ok(_) => return Err(Wrong::Text),
                wrong => wrong,
            });
        }
        if self.takes(&["-"]).is_some() {
            return Ok(counted("-", Ok(Value::Int(0)), self.one()?));
        }
        if self.takes(&["("]).is_some() {
            let value = self.or()?;
            return self.takes(&[")"]).map(|_| value).ok_or(Wrong::Text);
        }
        if self.takes(&["["]).is_some() {
            return self.list();
        }
        let (first, rest) = self.tokens.split_first().ok_or(Wrong::Text)?;
        self.tokens = rest;
        if let Some(text) = first.strip_prefix(['\'', '"']) {
            return Ok(Ok(Value::text(text)));
        }
        match *first {
            "true" => Ok(Ok(Value::Bool(true))),
            "false" => Ok(Ok(Value::Bool(false))),
            word if word.starts_with(|c: char| c.is_ascii_digit()) => {
                let number = word.parse().map_err(|_| Wrong::Text)?;
                Ok(Ok(Value::Int(number)))
            }
            word => match (self.fact)(word) {
                Err(Wrong::Text) => Err(Wrong::Text),
                fact => Ok(fact),
            },
        }
    }

    fn list(&mut self) -> Read {
        let mut values = Vec::new();
        while self.takes(&["]"]).is_none() {
            let value = self.or()?;
            match value {
                Ok(value) => values.push(value),
                wrong => return Ok(wrong),
            }
            if self.takes(&[","]).is_none() && self.tokens.first() != Some(&"]") {
                return Err(Wrong::Text);
            }
        }
        Ok(Ok(Value::List(values)))
    }
}

/// Of `&&` and `||` one side that decides is enough, whatever the other one is.
fn decided(by: bool, left: Answer, right: Answer) -> Answer {
    let decides = Ok(Value::Bool(by));
    if left == decides || right == decides {
        return decides;
    }
    match (left?, right?) {
        (Value::Bool(_), Value::Bool(_)) => Ok(Value::Bool(!by)),
        _ => Err(Wrong::Text),
    }
}

fn compared(op: &str, left: Value, right: Value) -> Answer {
    let is = match (op, left, right) {
        ("==", left, right) => left == right,
        ("!=", left, right) => left != right,
        ("in", left, Value::List(right)) => right.contains(&left),
        ("<", Value::Int(left), Value::Int(right)) => left < right,
        ("<=", Value::Int(left), Value::Int(right)) => left <= right,
        (">", Value::Int(left), Value::Int(right)) => left > right,
        (">=", Value::Int(left), Value::Int(right)) => left >= right,
        _ => return Err(Wrong::Text),
    };
    Ok(Value::Bool(is))
}

fn counted(op: &str, left: Answer, right: Answer) -> Answer {
    let (Value::Int(left), Value::Int(right)) = (left?, right?) else {
        return Err(Wrong::Text);
    };
    let number = match op {
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        "/" => left.checked_div(right),
        _ => left.checked_rem(right),
    };
    number.map(Value::Int).ok_or(Wrong::Run)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(text: &str) -> Result<bool, Wrong> {
        answer(text, &|path| match path {
            "level" => Ok(Value::Int(3)),
            "tags" => Ok(Value::List(vec![Value::text("new")])),
            "region" => Err(Wrong::Run),
            _ => Err(Wrong::Text),
        })
    }

    #[test]
    fn a_text_is_answered_by_what_binds_closest_first() {
        assert_eq!(says("level >= 3 && 'new' in tags"), Ok(true));
        assert_eq!(says("level == 1 || level == 3 && false"), Ok(false));
        assert_eq!(says("!(level < 2 + 1 * 2) || level in [1, 3]"), Ok(true));
        assert_eq!(says("7 - 2 - 1 == 4 && -level < 0"), Ok(true));
        assert_eq!(says("\"old\" in tags != true"), Err(Wrong::Text));
    }

    #[test]
    fn what_goes_wrong_refuses_unless_the_other_side_decides() {
        assert_eq!(says("region == 'north'"), Err(Wrong::Run));
        assert_eq!(says("region == 'north' || level == 3"), Ok(true));
        assert_eq!(says("level == 4 && region == 'north'"), Ok(false));
        assert_eq!(says("1 / (level - 3) > 0"), Err(Wrong::Run));
        assert_eq!(says("level * 9223372036854775807 > 1"), Err(Wrong::Run));
    }

    #[test]
    fn what_the_reader_does_not_know_is_no_answer() {
        for text in [
            "",
            "level",
            "lvl > 1",
            "(level > 1",
            "level > 1)",
            "'open",
            "size(tags) > 0",
            "level > 1 ? true : false",
        ] {
            assert_eq!(says(text), Err(Wrong::Text), "{text}");
        }
    }
}
