package notice

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"ribambelle/internal/account"
	"ribambelle/internal/audit"
	"ribambelle/internal/camp"
	"ribambelle/internal/civil"
	"ribambelle/internal/job"
	"ribambelle/internal/mail"
	"ribambelle/internal/mail/maildrop"
	"ribambelle/internal/problem"
	"ribambelle/internal/task"
)

// senderFunc is a Sender for one test.
type senderFunc func(ctx context.Context, m mail.Message) error

func (f senderFunc) Send(ctx context.Context, m mail.Message) error { return f(ctx, m) }

// reminder leaves one message to send and returns its id.
func reminder(t *testing.T, b *bundle) uuid.UUID {
	t.Helper()
	b.Ask(t, b.Family(t, 1), 0, b.Camp(t, "Nature", 10))
	b.only(t, "fiche-medicale")
	b.until(civil.NewDate(2027, 6, 5), 9)
	if n := b.enqueueDue(t); n != 1 {
		t.Fatalf("%d reminders, want 1", n)
	}
	return b.unsent(t)[0]
}

// TestCrashBetweenSendAndMark ends the database session after the server has taken the mail: the mail goes again, under
// the same Message-ID.
func TestCrashBetweenSendAndMark(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := reminder(t, b)
	honest := b.Sender
	b.Sender = senderFunc(func(ctx context.Context, m mail.Message) error {
		if err := honest.Send(ctx, m); err != nil {
			return err
		}
		_, err := b.World.DB.Exec(ctx, `
			SELECT pg_terminate_backend(pid, 5000)
			FROM pg_stat_activity
			WHERE datname = current_database()
			  AND state = 'idle in transaction'`)
		return err
	})
	if err := b.Send(t.Context(), id, false); err == nil {
		t.Fatal("the crash was not noticed")
	}
	if n := b.count(t, `SELECT count(*) FROM message WHERE sent_at IS NOT NULL`); n != 0 {
		t.Fatal("marked in spite of the crash: the test proves nothing")
	}
	b.Sender = honest
	for range 2 {
		if err := b.Send(t.Context(), id, false); err != nil {
			t.Fatal(err)
		}
	}
	var ids []string
	for _, m := range b.drop.To("") {
		ids = append(ids, m.MessageID)
	}
	want := id.String() + "@testville.example"
	if diff := cmp.Diff([]string{want, want}, ids); diff != "" {
		t.Errorf("Message-IDs (-want +got):\n%s", diff)
	}
}

func TestTwoWorkersAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := reminder(t, b)
	inside, leave := make(chan struct{}), make(chan struct{})
	var calls atomic.Int32
	honest := b.Sender
	b.Sender = senderFunc(func(ctx context.Context, m mail.Message) error {
		if calls.Add(1) == 1 {
			close(inside)
			<-leave
		}
		return honest.Send(ctx, m)
	})
	first := make(chan error, 1)
	go func() { first <- b.Send(context.Background(), id, false) }()
	<-inside
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // a worker that waits for the other would hang
	defer cancel()
	var later *laterError
	if err := b.Send(ctx, id, true); !errors.As(err, &later) || later.wait <= 0 {
		t.Errorf("the second worker got %v, want to come later", err)
	}
	close(leave)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	if err := b.Send(t.Context(), id, false); err != nil {
		t.Fatal(err)
	}
	if n := len(b.drop.To("")); n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		refusal maildrop.Refusal
		last    bool
		again   bool // the error asks the queue to try again
		failed  int
		mails   int // after a second attempt
	}{
		"greylisted":               {maildrop.Refusal{Stage: maildrop.StageRcpt, Code: 451}, false, true, 0, 1},
		"greylisted to the end":    {maildrop.Refusal{Stage: maildrop.StageRcpt, Code: 451}, true, true, 1, 0},
		"mailbox does not exist":   {maildrop.Refusal{Stage: maildrop.StageRcpt, Code: 550}, false, false, 1, 0},
		"taken for spam":           {maildrop.Refusal{Stage: maildrop.StageData, Code: 554}, false, false, 1, 0},
		"taken, then the line cut": {maildrop.Refusal{Stage: maildrop.StageCut}, false, true, 0, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			id := reminder(t, b)
			b.drop.Script(tt.refusal)
			if err := b.Send(t.Context(), id, tt.last); (err != nil) != tt.again {
				t.Fatalf("got the error %v", err)
			}
			failed := b.count(t, `SELECT count(*) FROM message WHERE failed_at IS NOT NULL AND failure <> ''`)
			if tasks := b.tasks(t, task.MailFailed); failed != tt.failed || tasks != tt.failed {
				t.Errorf("%d failed messages and %d tasks, want %d of each", failed, tasks, tt.failed)
			}
			if err := b.Send(t.Context(), id, false); err != nil {
				t.Fatal(err)
			}
			if n := len(b.drop.To("")); n != tt.mails {
				t.Errorf("%d mails, want %d", n, tt.mails)
			}
			if n := b.count(t, `SELECT count(*) FROM message WHERE failure LIKE '%@%'`) + b.count(t, `SELECT count(*) FROM task WHERE detail::text LIKE '%@%'`); n != 0 {
				t.Error("an address stands in a failure or a task")
			}
		})
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := reminder(t, b)
	actor := audit.Command("test")
	if err := b.Retry(t.Context(), actor, uuid.New()); !problem.Is(err, problem.KindNotFound) {
		t.Errorf("an unknown message gives %v", err)
	}
	if err := b.Retry(t.Context(), actor, id); !problem.Is(err, problem.KindConflict) {
		t.Errorf("a message that waits gives %v", err)
	}
	b.drop.Script(maildrop.Refusal{Stage: maildrop.StageRcpt, Code: 550})
	if err := b.Send(t.Context(), id, false); err != nil || b.tasks(t, task.MailFailed) != 1 {
		t.Fatalf("%v, %d tasks", err, b.tasks(t, task.MailFailed))
	}
	if err := b.Retry(t.Context(), actor, id); err != nil {
		t.Fatal(err)
	}
	if n := b.count(t, `SELECT count(*) FROM river_job WHERE kind = 'message_send'`); n != 2 || b.tasks(t, task.MailFailed) != 0 {
		t.Errorf("%d jobs, %d tasks; want 2 and 0", n, b.tasks(t, task.MailFailed))
	}
	if mails := b.send(t); len(mails) != 1 {
		t.Errorf("%d mails, want 1", len(mails))
	}
	if err := b.Retry(t.Context(), actor, id); !problem.Is(err, problem.KindConflict) {
		t.Errorf("a message that left gives %v", err)
	}
}

// TestLanguage writes to each in the language of the account.
func TestLanguage(t *testing.T) {
	t.Parallel()
	for lang, want := range map[string]string{
		"de": "Gesundheitsblatt auszufüllen: Léaa, Ferienlager „Nature“",
		"en": "Medical sheet to fill in: Léaa, camp “Nature”",
		"nl": "Medische fiche in te vullen: Léaa, kamp ‘Nature’",
		"xx": "Fiche médicale à remplir : Léaa, stage « Nature »",
	} {
		b := setup(t)
		reminder(t, b)
		b.sql(t, `UPDATE account SET locale = $1`, lang)
		mails := b.send(t)
		if diff := cmp.Diff([]string{want}, subjects(mails)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", lang, diff)
		}
		keepForReading(t, mails)
	}
}

// TestSheetOutOfDate asks to confirm a sheet that is there, and shows nothing of it.
func TestSheetOutOfDate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := b.Family(t, 1)
	c := b.Camp(t, "Nature", 10)
	b.Settings(t, c.ID, func(s *camp.Settings) { s.SheetDays = 20 })
	b.fresh(t, f, 0)
	b.Ask(t, f, 0, c)
	b.only(t, "fiche-medicale")
	b.until(civil.NewDate(2027, 6, 5), 9)
	b.enqueueDue(t)
	mails := b.send(t)
	if diff := cmp.Diff([]string{"Fiche médicale à confirmer : Léaa, stage « Nature »"}, subjects(mails)); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	if all := mails[0].Text + mails[0].HTML; strings.Contains(all, "latex") || !strings.Contains(all, "/mon-espace/enfants/"+f.Children[0].ID.String()+"/fiche-medicale") {
		t.Errorf("the reminder reads\n%s", mails[0].Text)
	}
	keepForReading(t, mails)
}

// TestOurFault: what goes wrong on our side is tried again, and ends as a task too.
func TestOurFault(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := reminder(t, b)
	b.sql(t, `UPDATE message SET template = 'unknown'`)
	if err := b.Send(t.Context(), id, false); err == nil || b.tasks(t, task.MailFailed) != 0 {
		t.Errorf("first attempt: error %v, %d tasks", err, b.tasks(t, task.MailFailed))
	}
	if err := b.Send(t.Context(), id, true); err == nil || b.tasks(t, task.MailFailed) != 1 {
		t.Errorf("last attempt: error %v, %d tasks", err, b.tasks(t, task.MailFailed))
	}
	if len(b.unsent(t)) != 0 {
		t.Error("the message still waits, and no job will ever send it")
	}
}

func TestNoEmail(t *testing.T) {
	t.Parallel()
	for _, change := range []string{
		`UPDATE guardian SET channel = 'phone'`,
		`UPDATE guardian SET email = '', account_id = NULL`,
	} {
		b := setup(t)
		id := reminder(t, b)
		b.sql(t, change)
		if err := b.Send(t.Context(), id, false); err != nil {
			t.Fatal(err)
		}
		if n := b.tasks(t, task.ByPhone); n != 1 || len(b.unsent(t)) != 0 || len(b.drop.To("")) != 0 {
			t.Errorf("%s: %d tasks to phone, %d messages wait, %d mails", change, n, len(b.unsent(t)), len(b.drop.To("")))
		}
		b.until(civil.NewDate(2027, 6, 12), 9)
		b.enqueueDue(t)
		b.send(t)
		if n := b.tasks(t, task.ByPhone); n != 1 {
			t.Errorf("%s: the next reminder made %d tasks, want the one", change, n)
		}
	}
}

// TestWorkers runs the queue itself: a sign-up, twice, a reset, and a link that was used before its mail left.
func TestWorkers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	const email, password = "sophie@example.org", "un-mot-de-passe-bien-long"
	up := account.SignUp{Email: email, Name: "Sophie Lambert", Password: password}
	if err := b.Accounts.SignUp(ctx, up); err != nil {
		t.Fatal(err)
	}
	client, err := job.New(b.World.DB, slog.New(slog.DiscardHandler), b.Register, func(w *river.Workers) {
		river.AddWorker(w, river.WorkFunc(func(context.Context, *river.Job[job.PushSoon]) error { return nil }))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	first := b.drop.Await(1)[0]
	_, after, _ := strings.Cut(first.Text, "https://stages.testville.example/confirmation?code=")
	code, _, found := strings.Cut(after, "\n")
	if !found || first.To[0] != email || first.Header["Content-Language"] != "fr" {
		t.Fatalf("the mail to %v has no link:\n%s", first.To, first.Text)
	}
	if a, err := b.Accounts.Confirm(ctx, code); err != nil || a.Email != email {
		t.Fatalf("the mailed code gives %+v, %v", a, err)
	}
	if err := b.Accounts.SignUp(ctx, up); err != nil {
		t.Fatal(err)
	}
	if got := b.drop.Await(2)[0]; got.Subject != "Vous avez déjà un compte" || strings.Contains(got.Text, "code=") {
		t.Errorf("the second sign-up mails %q:\n%s", got.Subject, got.Text)
	}
	if err := b.Accounts.RequestReset(ctx, email); err != nil {
		t.Fatal(err)
	}
	if got := b.drop.Await(3)[0]; !strings.Contains(got.Text, "/mot-de-passe/nouveau?code=") {
		t.Errorf("the reset mails:\n%s", got.Text)
	}
	for i := range []int{1, 2} { // the job again: nothing new
		var codeID uuid.UUID
		if err := b.World.DB.QueryRow(ctx, `SELECT id FROM account_code WHERE purpose = 'reset'`).Scan(&codeID); err != nil {
			t.Fatal(err)
		}
		if err := b.accountMail(ctx, codeID); err != nil {
			t.Fatal(err)
		}
		if n := b.count(t, `SELECT count(*) FROM message`); n != 3 {
			t.Errorf("repeat %d: %d messages, want 3", i, n)
		}
	}
}

func TestUsedLinkIsNotMailed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	err := b.Accounts.SignUp(t.Context(), account.SignUp{Email: "late@example.org", Name: "Late", Password: "un-mot-de-passe-bien-long"})
	if err != nil {
		t.Fatal(err)
	}
	var code uuid.UUID
	if err := b.World.DB.QueryRow(t.Context(), `SELECT id FROM account_code`).Scan(&code); err != nil {
		t.Fatal(err)
	}
	if err := b.accountMail(t.Context(), code); err != nil {
		t.Fatal(err)
	}
	b.Pass(72 * time.Hour)
	if mails := b.send(t); len(mails) != 0 || len(b.unsent(t)) != 0 {
		t.Errorf("%d mails with a dead link, %d wait", len(mails), len(b.unsent(t)))
	}
}
