//! Running a checked rule: counted steps, and no way to panic.

use super::code::{Code, Find, Loop, Sum, Value};
use super::fault::RunError;
use super::ground::Ground;
use super::syntax::Op;
use super::{BUILT_BYTES_MOST, Given, STEPS_MOST};

/// Bytes of text that are looked at in one step.
const BYTES_PER_STEP: usize = 64;

type Run<'a> = Result<Value<'a>, RunError>;

/// Runs an expression over what is known.
pub(super) fn run<'a>(
    code: &'a Code,
    locals: usize,
    ground: &Ground<'a>,
) -> Result<Given, RunError> {
    let mut runner = Runner {
        ground,
        locals: vec![Value::Bool(false); locals],
        left: STEPS_MOST,
    };
    match runner.value(code)? {
        Value::Bool(is) => Ok(Given::Bool(is)),
        Value::Int(number) => Ok(Given::Int(number)),
        Value::Text(text) => Ok(Given::Text(text.into())),
        Value::List(_) => Err(RunError::Shape),
    }
}

struct Runner<'a, 'g> {
    ground: &'g Ground<'a>,
    locals: Vec<Value<'a>>,
    left: u64,
}

impl<'a> Runner<'a, '_> {
    fn spend(&mut self, steps: usize) -> Result<(), RunError> {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        self.left = self.left.checked_sub(steps).ok_or(RunError::Steps)?;
        Ok(())
    }

    fn value(&mut self, code: &'a Code) -> Run<'a> {
        self.spend(1)?;
        match code {
            Code::Bool(is) => Ok(Value::Bool(*is)),
            Code::Int(number) => Ok(Value::Int(*number)),
            Code::Text(text) => Ok(Value::text(text)),
            Code::List(parts) => {
                let values: Result<_, _> = parts.iter().map(|part| self.value(part)).collect();
                values.map(Value::List)
            }
            Code::Fact(fact) => fact.of(self.ground).ok_or(RunError::Missing(fact.path())),
            Code::Has(fact) => Ok(Value::Bool(fact.of(self.ground).is_some())),
            Code::Local(local) => self.locals.get(*local).cloned().ok_or(RunError::Shape),
            Code::Not(inner) => self.bool(inner).map(|is| Value::Bool(!is)),
            Code::Negate(inner) => {
                let number = self.int(inner)?.checked_neg();
                number.map(Value::Int).ok_or(RunError::Overflow)
            }
            Code::Binary(op, left, right) => self.binary(*op, left, right),
            Code::Either(test, then, other) => {
                let chosen = if self.bool(test)? { then } else { other };
                self.value(chosen)
            }
            Code::Index(list, index) => self.index(list, index),
            Code::Size(of) => self.size(of),
            Code::Find(find, of, what) => self.find(*find, of, what),
            Code::Loop(all) => self.all_rounds(all),
        }
    }

    fn bool(&mut self, code: &'a Code) -> Result<bool, RunError> {
        match self.value(code)? {
            Value::Bool(is) => Ok(is),
            _ => Err(RunError::Shape),
        }
    }

    fn int(&mut self, code: &'a Code) -> Result<i64, RunError> {
        match self.value(code)? {
            Value::Int(number) => Ok(number),
            _ => Err(RunError::Shape),
        }
    }

    fn index(&mut self, list: &'a Code, index: &'a Code) -> Run<'a> {
        let Value::List(mut values) = self.value(list)? else {
            return Err(RunError::Shape);
        };
        let index = usize::try_from(self.int(index)?).map_err(|_| RunError::Index)?;
        if index < values.len() {
            Ok(values.swap_remove(index))
        } else {
            Err(RunError::Index)
        }
    }

    fn size(&mut self, of: &'a Code) -> Run<'a> {
        let size = match self.value(of)? {
            Value::Text(text) => {
                self.spend(text.len() / BYTES_PER_STEP)?;
                text.chars().count()
            }
            Value::List(values) => values.len(),
            Value::Bool(_) | Value::Int(_) => return Err(RunError::Shape),
        };
        i64::try_from(size)
            .map(Value::Int)
            .map_err(|_| RunError::Overflow)
    }

    fn find(&mut self, find: Find, of: &'a Code, what: &'a Code) -> Run<'a> {
        let (Value::Text(text), Value::Text(part)) = (self.value(of)?, self.value(what)?) else {
            return Err(RunError::Shape);
        };
        self.spend((text.len() + part.len()) / BYTES_PER_STEP)?;
        Ok(Value::Bool(match find {
            Find::Contains => text.contains(&*part),
            Find::StartsWith => text.starts_with(&*part),
            Find::EndsWith => text.ends_with(&*part),
        }))
    }

    fn binary(&mut self, op: Op, left: &'a Code, right: &'a Code) -> Run<'a> {
        if let Op::And | Op::Or = op {
            return self.both(op == Op::Or, left, right);
        }
        let (left, right) = (self.value(left)?, self.value(right)?);
        self.spend(weight(&left).saturating_add(weight(&right)))?;
        match (op, left, right) {
            (Op::Equal, left, right) => Ok(Value::Bool(left == right)),
            (Op::Unequal, left, right) => Ok(Value::Bool(left != right)),
            (Op::In, left, Value::List(values)) => Ok(Value::Bool(values.contains(&left))),
            (op, Value::Int(left), Value::Int(right)) => number(op, left, right),
            (op, Value::Text(left), Value::Text(right)) => {
                if op != Op::Plus {
                    return ordered(op, &left.cmp(&right));
                }
                if left.len() + right.len() > BUILT_BYTES_MOST {
                    return Err(RunError::TooLong);
                }
                Ok(Value::Text((left.into_owned() + &right).into()))
            }
            (Op::Plus, Value::List(mut left), Value::List(right)) => {
                left.extend(right);
                Ok(Value::List(left))
            }
            _ => Err(RunError::Shape),
        }
    }

    /// `&&` and `||`: one side that decides is enough, even if the other one goes wrong, whichever stands first.
    fn both(&mut self, decides: bool, left: &'a Code, right: &'a Code) -> Run<'a> {
        let first = self.bool(left);
        match first {
            Ok(is) if is == decides => return Ok(Value::Bool(decides)),
            Err(error) if !passes(error) => return Err(error),
            _ => {}
        }
        match (first, self.bool(right)) {
            (_, Ok(is)) if is == decides => Ok(Value::Bool(decides)),
            (_, Err(error)) if !passes(error) => Err(error),
            (Err(error), _) | (Ok(_), Err(error)) => Err(error),
            (Ok(_), Ok(_)) => Ok(Value::Bool(!decides)),
        }
    }

    fn all_rounds(&mut self, all: &'a Loop) -> Run<'a> {
        let Value::List(values) = self.value(&all.range)? else {
            return Err(RunError::Shape);
        };
        match all.sum {
            Sum::All => self.decided(all, values, false),
            Sum::Exists => self.decided(all, values, true),
            Sum::ExistsOne => {
                let found = self.kept(all, values)?.len();
                Ok(Value::Bool(found == 1))
            }
            Sum::Filter | Sum::Map => self.kept(all, values).map(Value::List),
        }
    }

    fn round(&mut self, all: &'a Loop, value: Value<'a>) -> Result<bool, RunError> {
        self.spend(1)?;
        *self.locals.get_mut(all.local).ok_or(RunError::Shape)? = value;
        self.bool(&all.test)
    }

    /// Whether an element decides; one that goes wrong counts only where none does.
    fn decided(&mut self, all: &'a Loop, values: Vec<Value<'a>>, decides: bool) -> Run<'a> {
        let mut wrong = None;
        for value in values {
            match self.round(all, value) {
                Ok(is) if is == decides => return Ok(Value::Bool(decides)),
                Err(error) if !passes(error) => return Err(error),
                Err(error) => wrong = wrong.or(Some(error)),
                Ok(_) => {}
            }
        }
        wrong.map_or(Ok(Value::Bool(!decides)), Err)
    }

    /// What a loop makes of the elements that count.
    fn kept(&mut self, all: &'a Loop, values: Vec<Value<'a>>) -> Result<Vec<Value<'a>>, RunError> {
        let mut kept = Vec::new();
        for value in values {
            if self.round(all, value)? {
                kept.push(self.value(&all.gives)?);
            }
        }
        Ok(kept)
    }
}

/// Whether the other side of `&&` or `||` may make good for this error.
fn passes(error: RunError) -> bool {
    !matches!(error, RunError::Steps | RunError::TooLong | RunError::Shape)
}

/// Steps that looking at a whole value takes.
fn weight(value: &Value<'_>) -> usize {
    match value {
        Value::Bool(_) | Value::Int(_) => 0,
        Value::Text(text) => text.len() / BYTES_PER_STEP,
        Value::List(values) => values.iter().map(|value| 1 + weight(value)).sum(),
    }
}

fn ordered<'a>(op: Op, order: &std::cmp::Ordering) -> Run<'a> {
    Ok(Value::Bool(match op {
        Op::Less => order.is_lt(),
        Op::AtMost => order.is_le(),
        Op::More => order.is_gt(),
        Op::AtLeast => order.is_ge(),
        _ => return Err(RunError::Shape),
    }))
}

fn number<'a>(op: Op, left: i64, right: i64) -> Run<'a> {
    let result = match op {
        Op::Plus => left.checked_add(right),
        Op::Minus => left.checked_sub(right),
        Op::Times => left.checked_mul(right),
        Op::Over | Op::Rest if right == 0 => return Err(RunError::ByZero),
        Op::Over => left.checked_div(right),
        Op::Rest => left.checked_rem(right),
        _ => return ordered(op, &left.cmp(&right)),
    };
    result.map(Value::Int).ok_or(RunError::Overflow)
}
