//! Personal data, for merchants with the scope and for each buyer itself.

use api::people::{Erased, Person, PersonData};
use api::service::{Answer, Call, Caller, People, Reply};
use api::{Code, Problem, Scope};

use super::sales::house_problem;
use super::{Handle, by};
use crate::people::{Kept, PeopleError, name_in_audit, person_id};
use crate::wire;

/// What an erasure leaves, said to whoever asks for one.
const REMAINS: &str = "the journals, read models and letters that wait hold orders under a pseudonym, without a name or a \
    contact; logs, exports and notices that left are not called back; backups of the vault \
    made before hold the person until they are deleted, and a start over such a backup erases it again while the \
    erasure is on record";

/// A buyer only itself, a merchant with the scope everybody.
fn may(caller: &Caller, buyer: &str, scope: Scope) -> Result<(), Problem> {
    let own = matches!(caller, Caller::Buyer { id, .. } if **id == *buyer);
    if own || caller.may(scope) {
        return Ok(());
    }
    Err(Problem::because(
        Code::ScopeMissing,
        "a buyer sees only its own data, a merchant needs the scope",
    )
    .with("scope", scope.name()))
}

fn problem(error: &PeopleError) -> Problem {
    match error {
        PeopleError::NoVault => Problem::because(
            Code::NoVault,
            "no personal data are kept here: the vault has no master key",
        ),
        PeopleError::Nobody => Problem::new(Code::PersonNotFound),
        PeopleError::House(error) => house_problem(error),
        PeopleError::Vault(_) | PeopleError::Unreadable | PeopleError::Ended => {
            Problem::new(Code::Internal)
        }
    }
}

fn shown(buyer: Box<str>, kept: Kept) -> Answer<Person> {
    Answer::plain(Person {
        buyer,
        kept_at: wire::time(kept.at),
        data: kept.data,
    })
}

impl Handle {
    async fn put_person(
        &self,
        call: Call,
        buyer: Box<str>,
        body: PersonData,
    ) -> Result<Answer<Person>, Problem> {
        may(&call.caller, &buyer, Scope::PeopleWrite)?;
        let fields = serde_json::json!({ "fields": body.fields() }).to_string();
        let house = self.registry.house();
        let kept = self.people.put(house, &buyer, body).await;
        let kept = kept.map_err(|error| problem(&error))?;
        self.note_person(&call.caller, "person.put", &buyer, Some(&fields))
            .await?;
        Ok(shown(buyer, kept))
    }

    async fn show_person(&self, call: Call, buyer: Box<str>) -> Result<Answer<Person>, Problem> {
        may(&call.caller, &buyer, Scope::PeopleRead)?;
        let kept = self.people.get(&buyer).await;
        let kept = kept.map_err(|error| problem(&error))?;
        // Before it is shown: nobody looks at a person unrecorded.
        self.note_person(&call.caller, "person.read", &buyer, None)
            .await?;
        Ok(shown(buyer, kept))
    }

    async fn erase_person(&self, call: Call, buyer: Box<str>) -> Result<Answer<Erased>, Problem> {
        may(&call.caller, &buyer, Scope::PeopleWrite)?;
        let house = self.registry.house();
        let person = person_id(&buyer);
        let erased = self.people.erase(house, &by(&call.caller), person).await;
        let (at, found) = erased.map_err(|error| problem(&error))?;
        Ok(Answer::plain(Erased {
            erased_at: wire::time(at),
            found,
            remains: REMAINS.into(),
        }))
    }

    /// What buyers do with their own data is no administrative act.
    async fn note_person(
        &self,
        caller: &Caller,
        what: &str,
        buyer: &str,
        after: Option<&str>,
    ) -> Result<(), Problem> {
        if matches!(caller, Caller::Buyer { .. }) {
            return Ok(());
        }
        self.note(caller, what, &name_in_audit(buyer), None, after)
            .await
    }
}

impl People for Handle {
    fn put(&self, call: Call, buyer: Box<str>, body: PersonData) -> Reply<'_, Person> {
        Box::pin(self.put_person(call, buyer, body))
    }

    fn person(&self, call: Call, buyer: Box<str>) -> Reply<'_, Person> {
        Box::pin(self.show_person(call, buyer))
    }

    fn erase(&self, call: Call, buyer: Box<str>) -> Reply<'_, Erased> {
        Box::pin(self.erase_person(call, buyer))
    }
}
