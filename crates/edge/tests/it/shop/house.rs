//! The house of the shop in memory: keys, people, acts.

use super::{MERCHANT, READER, Shop, now};
use api::audit::{AuditPage, AuditQuery};
use api::code::Code;
use api::key::{ApiKey, ApiKeys, CreateKey, CreatedKey};
use api::people::{Erased, Person, PersonData};
use api::problem::Problem;
use api::service::{Answer, Audits, Call, Caller, Keys, People, Reply};
use api::{KeyId, Scope, Scopes, Time};
use std::sync::atomic::Ordering;

impl Keys for Shop {
    fn verify(&self, presented: &str) -> Result<Caller, Problem> {
        let merchant = |number, scopes| Caller::Merchant {
            account: "acme".into(),
            key: KeyId(number),
            scopes,
        };
        match presented {
            MERCHANT if !self.revoked.load(Ordering::SeqCst) => Ok(merchant(1, Scopes::ALL)),
            READER => Ok(merchant(
                2,
                Scopes::NONE.with(Scope::SalesRead).with(Scope::OrdersWrite),
            )),
            _ => Err(Problem::because(
                Code::NotAuthenticated,
                "the API key is not known",
            )),
        }
    }
    fn create(&self, _call: Call, body: CreateKey) -> Reply<'_, CreatedKey> {
        let secret = Some("tgk_00000000003_new".into());
        let (name, account, scopes) = (body.name, body.account, body.scopes);
        now(Ok(Answer::plain(CreatedKey {
            id: KeyId(3),
            name,
            account,
            scopes,
            secret,
        })))
    }
    fn list(&self, _call: Call) -> Reply<'_, ApiKeys> {
        now(Ok(Answer::plain(ApiKeys { keys: Vec::new() })))
    }
    fn revoke(&self, _call: Call, key: KeyId) -> Reply<'_, ApiKey> {
        self.revoked.store(true, Ordering::SeqCst);
        let at = Time::from_ms(0);
        let (name, account) = ("key".into(), "acme".into());
        now(Ok(Answer::plain(ApiKey {
            id: key,
            name,
            account,
            scopes: Scopes::ALL,
            created_at: at,
            revoked_at: Some(at),
        })))
    }
}

impl People for Shop {
    fn put(&self, call: Call, buyer: Box<str>, body: PersonData) -> Reply<'_, Person> {
        let own = matches!(&call.caller, Caller::Buyer { id, .. } if **id == *buyer);
        if !own && !call.caller.may(Scope::PeopleWrite) {
            return now(Err(Problem::new(Code::ScopeMissing)));
        }
        let person = Person {
            buyer: buyer.clone(),
            kept_at: Time::from_ms(0),
            data: body,
        };
        self.people.lock().unwrap().insert(buyer, person.clone());
        now(Ok(Answer::plain(person)))
    }
    fn person(&self, _call: Call, buyer: Box<str>) -> Reply<'_, Person> {
        let found = self.people.lock().unwrap().get(&buyer).cloned();
        let found = found.map(Answer::plain);
        now(found.ok_or_else(|| Problem::new(Code::PersonNotFound)))
    }
    fn erase(&self, _call: Call, buyer: Box<str>) -> Reply<'_, Erased> {
        let found = self.people.lock().unwrap().remove(&buyer).is_some();
        now(Ok(Answer::plain(Erased {
            erased_at: Time::from_ms(0),
            found,
            remains: "a pseudonym".into(),
        })))
    }
}

impl Audits for Shop {
    fn acts(&self, _call: Call, query: AuditQuery) -> Reply<'_, AuditPage> {
        now(Ok(Answer::plain(AuditPage {
            acts: Vec::new(),
            next_cursor: query.cursor,
        })))
    }
}
