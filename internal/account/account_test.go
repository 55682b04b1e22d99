package account_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/account"
	"ribambelle/internal/audit"
	"ribambelle/internal/db"
	"ribambelle/internal/db/dbtest"
	"ribambelle/internal/job"
	"ribambelle/internal/problem"
	"ribambelle/internal/seal"
)

// bundle is what a test works with beside the store.
type bundle struct {
	db   *db.DB
	now  time.Time
	jobs *job.Client
	box  *seal.Box
}

func (b *bundle) pass(d time.Duration) { b.now = b.now.Add(d) }

const (
	password = "quatre chevaux bleus"
	another  = "un bateau sur le canal"
	remote   = "192.0.2.7"
)

var command = audit.Command("test")

func setup(t *testing.T) (*account.Store, *bundle) {
	t.Helper()
	d := dbtest.New(t)
	jobs, err := job.NewInserter(d)
	if err != nil {
		t.Fatal(err)
	}
	b := &bundle{db: d, now: time.Date(2026, 5, 11, 9, 0, 0, 0, time.UTC), jobs: jobs, box: seal.NewTest()}
	return account.New(d, func() time.Time { return b.now }, b.box, jobs).Cheap(), b
}

// mails returns the codes whose mail is in the queue, oldest first.
func (b *bundle) mails(t *testing.T) []uuid.UUID {
	t.Helper()
	rows, err := b.db.Query(t.Context(), `SELECT args FROM river_job WHERE kind = 'account_mail' ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		t.Fatal(err)
	}
	var ids []uuid.UUID
	for _, r := range raw {
		var args job.AccountMail
		if err := json.Unmarshal(r, &args); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, args.CodeID)
	}
	return ids
}

// lastMail returns what the newest mail would be written from.
func (b *bundle) lastMail(t *testing.T, s *account.Store) (purpose, token string) {
	t.Helper()
	ids := b.mails(t)
	if len(ids) == 0 {
		t.Fatal("no mail was enqueued")
	}
	purpose, _, _, token, _, err := s.CodeMail(t.Context(), ids[len(ids)-1])
	if err != nil {
		t.Fatal(err)
	}
	return purpose, token
}

// parent makes a confirmed account without role.
func parent(t *testing.T, s *account.Store, email string, roles ...string) account.Account {
	t.Helper()
	a, err := s.Create(t.Context(), audit.Command("test"),
		account.Draft{Email: email, Name: "Anne Peeters", Password: password, Roles: roles, Confirmed: true})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func signIn(t *testing.T, s *account.Store, email, password string) string {
	t.Helper()
	token, _, err := s.SignIn(t.Context(), email, password, remote, "Firefox")
	if err != nil {
		t.Fatalf("signing in: %v", err)
	}
	return token
}

// wantProblem checks the kind and the code of an error; an empty code is any.
func wantProblem(t *testing.T, err error, kind problem.Kind, code string) {
	t.Helper()
	if p := problem.As(err); p == nil || p.Kind != kind || code != "" && p.Code != code {
		t.Errorf("got error %v, want %s %s", err, kind, code)
	}
}

// wantFields checks the faulty inputs of an error, "input=code".
func wantFields(t *testing.T, err error, want ...string) {
	t.Helper()
	p := problem.As(err)
	if p == nil || p.Kind != problem.KindInvalid {
		t.Fatalf("got error %v, want faulty inputs %q", err, want)
	}
	var got []string
	for _, f := range p.Fields {
		got = append(got, f.Name+"="+f.Code)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faulty inputs (-want +got):\n%s", diff)
	}
}

func TestSignUp(t *testing.T) {
	t.Parallel()

	form := account.SignUp{Email: "Anne.Peeters@example.be", Name: " Anne  Peeters ", Password: password}

	t.Run("ConfirmThenSignIn", func(t *testing.T) {
		t.Parallel()
		s, b := setup(t)
		if err := s.SignUp(t.Context(), form); err != nil {
			t.Fatal(err)
		}
		ids := b.mails(t)
		if len(ids) != 1 {
			t.Fatalf("got %d mails, want 1", len(ids))
		}
		purpose, email, name, token, lang, err := s.CodeMail(t.Context(), ids[0])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"confirm", "Anne.Peeters@example.be", "Anne Peeters", "fr"}, []string{purpose, email, name, lang}); diff != "" {
			t.Errorf("mail (-want +got):\n%s", diff)
		}

		_, _, err = s.SignIn(t.Context(), form.Email, password, remote, "")
		wantProblem(t, err, problem.KindForbidden, "account.unconfirmed_sent")
		_, newer := b.lastMail(t, s)
		if newer == token {
			t.Error("signing in before the confirmation mailed no new link")
		}
		a, err := s.Confirm(t.Context(), token) // the mail that was opened first still counts
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Confirm(t.Context(), newer); err != nil {
			t.Errorf("the newer link after the older: %v", err)
		}
		if a.ConfirmedAt == nil || a.Staff() {
			t.Errorf("got %+v, want a confirmed parent", a)
		}
		session := signIn(t, s, "anne.peeters@EXAMPLE.be", password)
		got, err := s.Session(t.Context(), session)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a, got); diff != "" {
			t.Errorf("account of the session (-want +got):\n%s", diff)
		}
	})

	t.Run("EveryFault", func(t *testing.T) {
		t.Parallel()
		s, b := setup(t)
		err := s.SignUp(t.Context(), account.SignUp{Email: "anne@commune", Name: "", Password: "court", Locale: "xx"})
		wantFields(t, err, "name=account.name_required", "email=account.email_invalid", "locale=account.locale_unknown", "password=account.password_short")
		if n := len(b.mails(t)); n != 0 {
			t.Errorf("got %d mails, want none", n)
		}
	})

	t.Run("KnownAddress", func(t *testing.T) {
		t.Parallel()
		s, b := setup(t)
		parent(t, s, form.Email)
		other := form
		other.Email, other.Password = strings.ToUpper(form.Email), another
		if err := s.SignUp(t.Context(), other); err != nil {
			t.Fatalf("got %v, want the answer of an unknown address", err)
		}
		if purpose, token := b.lastMail(t, s); purpose != account.PurposeKnown || token != "" {
			t.Errorf("got a %s mail with token %q, want one that only says that the address is known", purpose, token)
		}
		signIn(t, s, form.Email, password)
		_, _, err := s.SignIn(t.Context(), form.Email, another, remote, "")
		wantProblem(t, err, problem.KindInvalid, "account.wrong")
	})

	t.Run("NotOverAFamily", func(t *testing.T) {
		t.Parallel()
		s, b := setup(t)
		a, err := s.Create(t.Context(), command, account.Draft{Email: form.Email, Name: "Anne"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.db.Exec(t.Context(), `
			WITH h AS (INSERT INTO household (name) VALUES ('Peeters') RETURNING id)
			INSERT INTO guardian (household_id, account_id, first_name, last_name)
			SELECT id, $1, 'Anne', 'Peeters' FROM h`, a.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SignUp(t.Context(), form); err != nil {
			t.Fatal(err)
		}
		if purpose, _ := b.lastMail(t, s); purpose != account.PurposeKnown {
			t.Errorf("got a %s mail: whoever knows the address could set the password of a family", purpose)
		}
	})

	t.Run("TakesOverUnconfirmed", func(t *testing.T) {
		t.Parallel()
		s, b := setup(t)
		if err := s.SignUp(t.Context(), form); err != nil {
			t.Fatal(err)
		}
		_, older := b.lastMail(t, s)
		again := form
		again.Password = another
		if err := s.SignUp(t.Context(), again); err != nil {
			t.Fatal(err)
		}
		_, newer := b.lastMail(t, s)
		_, err := s.Confirm(t.Context(), older)
		wantProblem(t, err, problem.KindGone, "account.link_dead")
		if _, err := s.Confirm(t.Context(), newer); err != nil {
			t.Fatal(err)
		}
		signIn(t, s, form.Email, another)
	})
}

func TestConfirmTokens(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	if err := s.SignUp(t.Context(), account.SignUp{Email: "anne@example.be", Name: "Anne", Password: password}); err != nil {
		t.Fatal(err)
	}
	_, token := b.lastMail(t, s)
	if err := s.RequestReset(t.Context(), "anne@example.be"); err != nil {
		t.Fatal(err)
	}
	purpose, reset := b.lastMail(t, s)
	if purpose != account.PurposeReset {
		t.Fatalf("got a %s mail, want reset", purpose)
	}
	id, mac, _ := strings.Cut(token, ".")
	_, otherMAC, _ := strings.Cut(reset, ".")
	for name, bad := range map[string]string{
		"empty":           "",
		"forged":          id + "." + strings.Repeat("A", len(mac)),
		"garbage":         "%00\x00'; --",
		"id alone":        id,
		"id in capitals":  strings.ToUpper(id) + "." + mac,
		"longer":          token + "A",
		"of another row":  uuid.NewString() + "." + mac,
		"of another use":  reset,
		"other use's mac": id + "." + otherMAC,
	} {
		if _, err := s.Confirm(t.Context(), bad); !problem.Is(err, problem.KindGone) {
			t.Errorf("%s: got %v, want gone", name, err)
		}
	}
	wantProblem(t, s.Reset(t.Context(), token, another), problem.KindGone, "account.link_dead")
	if _, err := s.Confirm(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	_, err := s.Confirm(t.Context(), token)
	wantProblem(t, err, problem.KindGone, "account.link_dead")

	b.pass(2 * time.Hour)
	wantProblem(t, s.Reset(t.Context(), reset, another), problem.KindGone, "account.link_dead")
	ids := b.mails(t)
	for _, id := range ids {
		if _, _, _, _, _, err := s.CodeMail(t.Context(), id); !problem.Is(err, problem.KindGone) {
			t.Errorf("got %v, want that no mail leaves for a used or expired code", err)
		}
	}
	_, _, _, _, _, err = s.CodeMail(t.Context(), uuid.New())
	wantProblem(t, err, problem.KindNotFound, "")
}

func TestReset(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	parent(t, s, "anne@example.be")
	session := signIn(t, s, "anne@example.be", password)
	for range account.EmailAttempts {
		_, _, err := s.SignIn(t.Context(), "anne@example.be", "wrong wrong wrong", remote, "")
		wantProblem(t, err, problem.KindInvalid, "account.wrong")
	}
	if err := s.RequestReset(t.Context(), "ANNE@example.be "); err != nil {
		t.Fatal(err)
	}
	_, token := b.lastMail(t, s)

	wantFields(t, s.Reset(t.Context(), token, "court"), "password=account.password_short")
	wantFields(t, s.Reset(t.Context(), token, "anne@example.be"), "password=account.password_is_email")
	if err := s.Reset(t.Context(), token, another); err != nil {
		t.Fatalf("a refused password cost the token: %v", err)
	}
	_, err := s.Session(t.Context(), session)
	wantProblem(t, err, problem.KindNotFound, "account.no_session")
	signIn(t, s, "anne@example.be", another) // the lock is lifted too
}

func TestResetAnswersAlike(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	parent(t, s, "anne@example.be")
	for i := range account.MailsInWindow + 2 {
		for _, email := range []string{"anne@example.be", "nobody@example.be"} {
			if err := s.RequestReset(t.Context(), email); err != nil {
				t.Errorf("request %d for %s: got %v, want nil", i, email, err)
			}
		}
	}
	if got, want := len(b.mails(t)), account.MailsInWindow; got != want {
		t.Errorf("got %d mails, want %d: a mailbox can be flooded", got, want)
	}
	b.pass(account.AttemptWindow)
	if err := s.RequestReset(t.Context(), "anne@example.be"); err != nil {
		t.Fatal(err)
	}
	if got, want := len(b.mails(t)), account.MailsInWindow+1; got != want {
		t.Errorf("got %d mails after the window, want %d", got, want)
	}
}

func TestLevel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		time.Sleep(30 * time.Millisecond) // the bubble's clock: the work before the answer
		account.Level(t.Context(), 250*time.Millisecond, start)
		if got := time.Since(start); got != 250*time.Millisecond {
			t.Errorf("answered after %v, want 250ms", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		account.Level(ctx, time.Hour, time.Now()) // returns at once, or the bubble waits an hour
		if got := time.Since(start); got != 250*time.Millisecond {
			t.Errorf("a client who left was waited for until %v", got)
		}
	})
}

func TestCreate(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	a := parent(t, s, "agent@example.be", account.RoleFinance, account.RoleAgent, account.RoleAgent)
	if diff := cmp.Diff([]string{"agent", "finance"}, a.Roles); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
	if !a.Staff() || !a.Is(account.RoleAgent) || a.Is(account.RoleAdministrator) {
		t.Errorf("got %+v, want an agent of the office", a)
	}
	_, err := s.Create(t.Context(), command, account.Draft{Email: "AGENT@example.be", Name: "B"})
	wantProblem(t, err, problem.KindConflict, "account.email_taken")
	_, err = s.Create(t.Context(), command, account.Draft{Email: "x", Name: "", Password: "x", Roles: []string{"king"}})
	wantFields(t, err, "email=account.email_invalid", "name=account.name_required", "password=account.password_short", "roles=account.role_unknown")

	// Without a password nobody signs in, not even with an empty one, before a reset.
	if _, err := s.Create(t.Context(), command, account.Draft{Email: "new@example.be", Name: "N"}); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"", "nobody has this password"} {
		_, _, err = s.SignIn(t.Context(), "new@example.be", p, remote, "")
		wantProblem(t, err, problem.KindInvalid, "account.wrong")
	}
	if err := s.RequestReset(t.Context(), "new@example.be"); err != nil {
		t.Fatal(err)
	}
	_, token := b.lastMail(t, s)
	if err := s.Reset(t.Context(), token, password); err != nil {
		t.Fatal(err)
	}
	signIn(t, s, "new@example.be", password)

	agents, err := s.WithRole(t.Context(), account.RoleAgent)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]account.Account{a}, agents); diff != "" {
		t.Errorf("agents (-want +got):\n%s", diff)
	}
	if _, err := s.ByEmail(t.Context(), "nobody@example.be"); !problem.Is(err, problem.KindNotFound) {
		t.Errorf("got %v, want not found", err)
	}
}

func TestSetRoles(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	a := parent(t, s, "anne@example.be")
	token := signIn(t, s, "anne@example.be", password)
	boss := command
	wantFields(t, s.SetRoles(t.Context(), boss, a.ID, []string{"king"}), "roles=account.role_unknown")
	wantProblem(t, s.SetRoles(t.Context(), boss, uuid.New(), nil), problem.KindNotFound, "account.not_found")
	if err := s.SetRoles(t.Context(), boss, a.ID, []string{account.RoleLeader}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Session(t.Context(), token)
	wantProblem(t, err, problem.KindNotFound, "account.no_session")
	got, err := s.Account(t.Context(), a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got.Staff() || !got.Is(account.RoleLeader) {
		t.Errorf("got %+v, want a leader, who is not of the office", got)
	}
	entries, err := audit.List(t.Context(), b.db, "account", a.ID.String(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Action != "account.roles" {
		t.Errorf("got audit %+v, want the change of roles", entries)
	}
}

// TestNothingReadable holds invariant 5 for this room: no password, token or guess stands anywhere in the database.
func TestNothingReadable(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	if err := s.SignUp(t.Context(), account.SignUp{Email: "anne@example.be", Name: "Anne Visible", Password: password}); err != nil {
		t.Fatal(err)
	}
	_, confirm := b.lastMail(t, s)
	if _, err := s.Confirm(t.Context(), confirm); err != nil {
		t.Fatal(err)
	}
	session := signIn(t, s, "anne@example.be", password)
	if _, _, err := s.SignIn(t.Context(), "stranger@example.be", "a wrong guess", "198.51.100.23", ""); err == nil {
		t.Fatal("a stranger signed in")
	}
	if err := s.RequestReset(t.Context(), "anne@example.be"); err != nil {
		t.Fatal(err)
	}
	_, reset := b.lastMail(t, s)
	_, confirmMAC, _ := strings.Cut(confirm, ".")
	_, resetMAC, _ := strings.Cut(reset, ".")

	if len(dbtest.Find(t, b.db, "Anne Visible")) == 0 {
		t.Fatal("the search does not even find the name")
	}
	for name, secret := range map[string]string{
		"password": password, "guess": "a wrong guess", "session": session, "confirm": confirmMAC, "reset": resetMAC,
		"address of a stranger": "198.51.100.23", "e-mail of a stranger": "stranger@example.be",
	} {
		if found := dbtest.Find(t, b.db, secret); len(found) > 0 {
			t.Errorf("the %s stands readable in %v", name, found)
		}
	}
	a, err := s.ByEmail(t.Context(), "anne@example.be")
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%+v %#v", a, a); strings.Contains(text, "argon2") {
		t.Error("an account prints its hash")
	}
}
