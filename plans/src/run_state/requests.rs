//! What workers wanted beyond the plan and the rules, folded along for people and for the planner. Nothing is owed on its account.

use shared::{AttemptKey, Glob, TaskId};

use super::RunState;
use crate::{
    approval::{Answer, Decision, Request, Subject},
    event::Event,
    task::Task,
};

impl RunState {
    /// The tasks that own some of these files and could run at the same time as the task, in the plan's order.
    pub fn owners(&self, id: &TaskId, globs: &[Glob]) -> Vec<(&TaskId, &Glob)> {
        let Some((plan, own)) = self.plan.as_ref().and_then(|plan| Some((plan, plan.index_of(id)?))) else { return Vec::new() };
        let others = plan.tasks().iter().enumerate().filter(|(at, _)| *at != own && !plan.ordered(*at, own));
        let owned = |task: &'_ Task| task.scope.write.iter().position(|glob| globs.iter().any(|asked| asked.overlaps(glob)));
        others.filter_map(|(_, task)| Some((&task.id, &task.scope.write[owned(task)?]))).collect()
    }

    pub(super) fn hear_of_request(&mut self, event: &Event) {
        match event {
            Event::ApprovalAsked { key, what, why } => {
                self.requests.push(Request { key: key.clone(), what: what.clone(), reason: why.clone(), answer: None });
            }
            Event::ApprovalDecided { key, what, decision, by, why } => {
                if let Decision::Always(standing) = decision {
                    self.standing.extend(standing.iter().cloned());
                }
                let granted = *decision != Decision::Denied;
                self.answer_request(key, what.clone(), why, Answer { granted, by: *by, why: why.clone() });
            }
            Event::ScopeGranted { key, globs, reason, by, .. } => {
                let answer = Answer { granted: true, by: *by, why: String::new() };
                self.answer_request(key, Subject::Scope(globs.clone()), reason, answer);
            }
            Event::ScopeRefused { key, globs, reason, why, by } => {
                let answer = Answer { granted: false, by: *by, why: why.clone() };
                self.answer_request(key, Subject::Scope(globs.clone()), reason, answer);
            }
            _ => {}
        }
    }

    fn answer_request(&mut self, key: &AttemptKey, what: Subject, reason: &str, answer: Answer) {
        let is_it = |request: &&mut Request| request.answer.is_none() && request.key == *key && request.what == what;
        match self.requests.iter_mut().find(is_it) {
            Some(request) => request.answer = Some(answer),
            None => self.requests.push(Request { key: key.clone(), what, reason: reason.to_owned(), answer: Some(answer) }),
        }
    }

    /// Who has ended waits for no answer any more.
    pub(super) fn forget_open_requests(&mut self, key: Option<&AttemptKey>) {
        self.requests.retain(|request| request.answer.is_some() || key.is_some_and(|key| request.key != *key));
    }
}
