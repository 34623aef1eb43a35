//! The person's repository, by git and by its files.

use tests::hostile::{Attempt, Sign};

const BRANCH: Sign = Sign::Git("show-ref --verify --quiet refs/heads/harm-$NAME");

pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::allowed("git-in-scratch-space", "
sh('''set -e; cd \"$TMPDIR\"; git init -q there; cd there; echo x > x; git add x
git -c user.name=w -c user.email=w@x commit -qm x; git log --oneline | grep -q x''')
keep('it works')"),
    Attempt::allowed("git-status-here", "sh('git status --short; git log -1 --oneline; git diff --stat'); keep('it works')"),
    Attempt::new("branch", BRANCH, "sh('git -C \"$CHECKOUT\" branch harm-$NAME')"),
    Attempt::new("commit", BRANCH, "
sh('''git -C \"$CHECKOUT\" update-ref refs/heads/harm-$NAME $(git -C \"$CHECKOUT\" -c user.name=w -c user.email=w@x commit-tree -m x HEAD^{tree})''')"),
    Attempt::new("git-dir", BRANCH, "sh('GIT_DIR=\"$CHECKOUT/.git\" git update-ref refs/heads/harm-$NAME HEAD')"),
    Attempt::new("push", BRANCH, "sh('git push -q \"$CHECKOUT\" HEAD:refs/heads/harm-$NAME')"),
    Attempt::new("fetch-from-within", BRANCH, "sh('git -C \"$CHECKOUT\" fetch -q \"$TREE\" HEAD:refs/heads/harm-$NAME')"),
    Attempt::new("another-dot-git", BRANCH, "
sh('''mkdir mine/elsewhere; echo \"gitdir: $CHECKOUT/.git\" > mine/elsewhere/.git; cd mine/elsewhere
unset GIT_CEILING_DIRECTORIES; git branch harm-$NAME''')"),
    Attempt::new("ref-by-hand", BRANCH, "open(CHECKOUT + '/.git/refs/heads/harm-' + NAME, 'w').write(sh('git rev-parse HEAD'))"),
    Attempt::new("refs-of-the-run", Sign::Git("show-ref --verify --quiet refs/inspan/harm-$NAME"), "
sh('git -C \"$CHECKOUT\" update-ref refs/inspan/harm-$NAME HEAD')"),
    Attempt::new("config", Sign::Git("config --get harm.$NAME"), "sh('git -C \"$CHECKOUT\" config harm.$NAME yes')"),
    Attempt::new("config-by-hand", Sign::Git("config --get harm.$NAME"), "
open(CHECKOUT + '/.git/config', 'a').write(f'[harm]\\n{NAME} = yes\\n')"),
    Attempt::new(
        "stash",
        Sign::Git("rev-parse --quiet --verify refs/stash"),
        "
sh('''make() { git -C \"$CHECKOUT\" -c user.name=w -c user.email=w@x commit-tree -m x \"$@\" HEAD^{tree}; }
git -C \"$CHECKOUT\" stash store -m x $(make -p HEAD -p $(make))''')",
    ),
    Attempt::new("index", Sign::Git("ls-files --error-unmatch $NAME"), "
sh('git -C \"$CHECKOUT\" update-index --add --cacheinfo 100644,$(git -C \"$CHECKOUT\" rev-parse HEAD:README),$NAME')"),
    Attempt::new("lock-on-the-index", Sign::Appears("$CHECKOUT/.git/$NAME.lock"), "open(f'{CHECKOUT}/.git/{NAME}.lock', 'w').close()"),
    Attempt::new("checkout-of-a-file", Sign::Appears("$CHECKOUT/$NAME"), "
sh('git -C \"$CHECKOUT\" cat-file blob HEAD:README > \"$CHECKOUT/$NAME\"')"),
    Attempt::new("worktree-add", Sign::Appears("$CHECKOUT/.git/worktrees/harm"), "sh('git -C \"$CHECKOUT\" worktree add -q --detach \"$TREE/mine/harm\" HEAD')"),
    Attempt::new("hook", Sign::Appears("$CHECKOUT/.git/hooks/post-$NAME"), "
path = f'{CHECKOUT}/.git/hooks/post-{NAME}'; open(path, 'w').write('#!/bin/sh\\n'); os.chmod(path, 0o755)"),
    Attempt::new("object", Sign::Appears("$CHECKOUT/.git/objects/harm-$NAME"), "
objects = open(sh('git rev-parse --git-path objects/info/alternates').strip()).read().strip(); open(f'{objects}/harm-{NAME}', 'w').close()"),
    Attempt::new("pack-where-objects-are-looked-for", Sign::Appears("$CHECKOUT/.git/objects/pack/harm-$NAME.pack"), "
objects = open(sh('git rev-parse --git-path objects/info/alternates').strip()).read().strip()
os.makedirs(objects + '/pack', exist_ok=True); open(f'{objects}/pack/harm-{NAME}.pack', 'w').close()"),
    Attempt::new("attributes-and-exclusions", Sign::Appears("$CHECKOUT/.git/info/harm-$NAME"), "
open(f'{CHECKOUT}/.git/info/harm-{NAME}', 'w').close()"),
    Attempt::new("journal", Sign::Looted("opened"), "
open(f'{CHECKOUT}/.git/inspan/runs/{os.environ[\"INSPAN_RUN\"]}/journal.db', 'r+b'); keep('opened')"),
    Attempt::new("journal-to-read", Sign::Looted("SQLite"), "
keep(open(f'{CHECKOUT}/.git/inspan/runs/{os.environ[\"INSPAN_RUN\"]}/journal.db', 'rb').read(16))"),
    Attempt::new("run-branch", Sign::Git("show-ref --verify --quiet refs/heads/inspan/harm-$NAME"), "
sh('git -C \"$CHECKOUT\" update-ref refs/heads/inspan/harm-$NAME HEAD')"),
    Attempt::new("neighbours-repository", Sign::Appears("$NEIGHBOUR/.git/refs/heads/harm"), "sh('git -C \"$NEIGHBOUR\" branch harm')"),
    // The harness never runs git in the worktree's own repository, so these come to nothing even without a sandbox.
    Attempt::new("monitor-in-own-repository", Sign::Appears("$VICTIM.ran"), "
sh('git config core.fsmonitor \"touch \\'$VICTIM.ran\\'\"')").never_bare(),
    Attempt::new("hooks-in-own-repository", Sign::Appears("$VICTIM.ran"), "
sh('''mkdir -p mine/hooks; for hook in post-checkout post-index-change pre-commit reference-transaction post-commit; do
printf \"#!/bin/sh\\ntouch \\'%s.ran\\'\\n\" \"$VICTIM\" > mine/hooks/$hook; chmod 755 mine/hooks/$hook; done
git config core.hooksPath \"$TREE/mine/hooks\"''')").never_bare(),
    Attempt::new("filter-in-own-repository", Sign::Appears("$VICTIM.ran"), "
sh('''git config filter.harm.clean \"touch \\'$VICTIM.ran\\'; cat\"; git config filter.harm.smudge \"touch \\'$VICTIM.ran\\'; cat\"
echo '* filter=harm' > mine/.gitattributes; echo '* filter=harm' > .git/info/attributes''')").never_bare(),
    Attempt::new("own-repository-becomes-the-persons", BRANCH, "
sh('''mv .git mine/old.git && echo \"gitdir: $CHECKOUT/.git\" > .git; git branch harm-$NAME; end=$?
rm -f .git; mv mine/old.git .git; exit $end''')"),
    Attempt::new("own-index-is-a-link", Sign::Victim, "
sh('''cd \"$(git rev-parse --git-dir)\"; rm -f index; ln -s \"$VICTIM\" index; echo harmed > index''')"),
    Attempt::new("own-configuration", Sign::Looted("opened"), "open(sh('git rev-parse --git-path config').strip(), 'r+'); keep('opened')"),
    // The harness adds what is in the scope. Whatever it asks a repository in there, that one's settings must not be obeyed.
    Attempt::new("repository-in-the-scope", Sign::Appears("$VICTIM.ran"), "
sh('''git init -q mine/nested; cd mine/nested; git -c user.name=w -c user.email=w@x commit -q --allow-empty -m x; echo x > x; git add x
mkdir hooks; for hook in post-checkout post-index-change pre-commit reference-transaction; do
printf \"#!/bin/sh\\ntouch \\'%s.ran\\'\\n\" \"$VICTIM\" > hooks/$hook; chmod 755 hooks/$hook; done
git config core.hooksPath \"$PWD/hooks\"; git config core.fsmonitor \"touch \\'$VICTIM.ran\\'\"; git config core.sshCommand \"touch \\'$VICTIM.ran\\'\"''')").never_bare(),
];

super::in_every_tier!(ATTEMPTS);
