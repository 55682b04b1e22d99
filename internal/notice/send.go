package notice

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
	"ribambelle/internal/mail"
	"ribambelle/internal/task"
)

// message is one row of that table.
type message struct {
	ID        uuid.UUID
	Template  string
	RuleCode  *string
	SubjectID string
	Recipient string
	Over      bool // sent, dropped or failed
}

// subject identifies a message in tasks: a reminder that cannot be delivered again refreshes the task of its first.
func (m message) subject() string { return m.Template + "/" + m.SubjectID + "/" + m.Recipient }

// laterError says that a message is not to be sent yet.
type laterError struct{ wait time.Duration }

func (e *laterError) Error() string { return fmt.Sprintf("not to be sent for %v", e.wait) }

// errDrop is returned by what composes a letter that nobody wants any more.
var errDrop = errors.New("no longer wanted")

// noAddressError is returned for a guardian who cannot be reached by e-mail.
type noAddressError struct{ channel string }

func (e *noAddressError) Error() string {
	return "no e-mail for a guardian whose channel is " + e.channel
}

// busyWait is when a message is looked at again that someone else is just sending.
const busyWait = 30 * time.Second

// Send sends one message, unless it was sent, is no longer wanted, or can never be: then it ends here, with a task for
// staff in the last case. Another error means that it may go later; last says that there will be no later.
//
// The row stays locked while the server is spoken to, so that no two workers send the same message. Only a crash between
// the server's answer and the commit repeats one, under the same Message-ID. The lock is why no other row is locked before
// the server has answered.
func (s *Store) Send(ctx context.Context, id uuid.UUID, last bool) error {
	var outcome error // of the sending: what is noted about it commits all the same
	err := pgx.BeginFunc(ctx, s.DB.Pool, func(tx pgx.Tx) error {
		m, err := s.lock(ctx, tx, id)
		if err != nil || m.Over {
			return err
		}
		outcome = s.deliver(ctx, tx, m)
		return s.note(ctx, tx, m, outcome, last)
	})
	if err != nil {
		var later *laterError
		if last && !errors.As(err, &later) {
			s.Log.ErrorContext(ctx, "message given up", "message", id, "error", err)
			return errors.Join(err, s.giveUp(ctx, id))
		}
		return err
	}
	var unreachable *noAddressError
	if errors.Is(outcome, errDrop) || errors.As(outcome, &unreachable) || outcome != nil && !mail.Temporary(outcome) {
		return nil // noted, and nothing more will come of it
	}
	return outcome
}

// lock takes a message for this transaction. It returns a laterError while another one has it.
func (s *Store) lock(ctx context.Context, tx db.Tx, id uuid.UUID) (message, error) {
	const columns = `id, template, rule_code, subject_id, recipient, sent_at IS NOT NULL OR dropped_at IS NOT NULL OR failed_at IS NOT NULL AS over`
	rows, err := tx.Query(ctx, `
		SELECT `+columns+`
		FROM message
		WHERE id = @id
		FOR UPDATE SKIP LOCKED`,
		pgx.NamedArgs{"id": id})
	if err != nil {
		return message{}, fmt.Errorf("reading message %s: %w", id, err)
	}
	m, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[message])
	if !errors.Is(err, pgx.ErrNoRows) {
		return m, err
	}
	var there bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM message WHERE id = @id)`, pgx.NamedArgs{"id": id}).Scan(&there); err != nil {
		return m, fmt.Errorf("reading message %s: %w", id, err)
	}
	if there {
		return m, &laterError{wait: busyWait}
	}
	return message{Over: true}, nil
}

// deliver writes the mail of a locked message as things are now and hands it to the server.
func (s *Store) deliver(ctx context.Context, tx db.Tx, m message) error {
	if now := s.Now(); m.Template == templateRegistration+"offered" && morning(now).After(now) {
		return &laterError{wait: morning(now).Sub(now)}
	}
	letter, err := s.compose(ctx, tx, m)
	if err != nil {
		return err
	}
	return s.Sender.Send(ctx, letter)
}

// note writes what came of a message.
func (s *Store) note(ctx context.Context, tx db.Tx, m message, outcome error, last bool) error {
	var (
		later       *laterError
		unreachable *noAddressError
	)
	switch {
	case outcome == nil:
		return s.mark(ctx, tx, m, "sent_at", "")
	case errors.As(outcome, &later):
		return nil
	case errors.Is(outcome, errDrop):
		return s.mark(ctx, tx, m, "dropped_at", "")
	case errors.As(outcome, &unreachable):
		if err := s.mark(ctx, tx, m, "failed_at", outcome.Error()); err != nil {
			return err
		}
		return task.Open(ctx, tx, task.ByPhone, "message", m.subject(), s.detail(m, map[string]any{"channel": unreachable.channel}))
	case mail.KindOf(outcome) == "":
		return outcome // not of the server but of ours, and perhaps of this very transaction
	case mail.Temporary(outcome) && !last:
		return s.mark(ctx, tx, m, "", outcome.Error())
	}
	return s.fail(ctx, tx, m, outcome.Error())
}

// fail ends a message that cannot be sent; reason holds no address and no name.
func (s *Store) fail(ctx context.Context, tx db.Tx, m message, reason string) error {
	if err := s.mark(ctx, tx, m, "failed_at", reason); err != nil {
		return err
	}
	return task.Open(ctx, tx, task.MailFailed, "message", m.subject(), s.detail(m, map[string]any{"reason": reason}))
}

// giveUp ends a message after its last attempt went wrong on our side; why is in the log.
func (s *Store) giveUp(ctx context.Context, id uuid.UUID) error {
	return s.DB.InTx(ctx, func(ctx context.Context, tx db.Tx) error {
		m, err := s.lock(ctx, tx, id)
		if err != nil || m.Over {
			return err
		}
		return s.fail(ctx, tx, m, "internal")
	})
}

// mark notes the outcome of a message: column, unless it is empty, becomes now.
func (s *Store) mark(ctx context.Context, tx db.Tx, m message, column, failure string) error {
	set := "failure = @failure"
	if column != "" {
		set += ", " + column + " = @now"
	}
	_, err := tx.Exec(ctx, `
		UPDATE message
		SET `+set+`
		WHERE id = @id`,
		pgx.NamedArgs{"id": m.ID, "now": s.Now(), "failure": failure})
	if err != nil {
		return fmt.Errorf("noting what came of message %s: %w", m.ID, err)
	}
	return nil
}

func (s *Store) detail(m message, more map[string]any) map[string]any {
	more["message"], more["template"] = m.ID, m.Template
	kind, id, _ := strings.Cut(m.Recipient, ":")
	more[kind] = id
	return more
}
