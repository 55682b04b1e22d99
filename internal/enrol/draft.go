package enrol

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/db"
	"ribambelle/internal/household"
	"ribambelle/internal/problem"
	"ribambelle/internal/tariff"
)

// KeepLine is PutLine without the checks that cost time: it keeps what a family just sent while the server has no time
// to look at it. The basket shows later what stands against the line. NotFound or Forbidden when the guardian may not
// register the child, NotFound for a camp that is not shown, Invalid for an option, ticket or stop that does not exist.
func (s *Store) KeepLine(ctx context.Context, guardianID uuid.UUID, r Request) error {
	if err := s.Households.Right(ctx, s.DB, guardianID, r.ChildID, household.RightRegister, s.today()); err != nil {
		return err
	}
	// The basket says whether a code counts: here it only takes its turn with the others.
	if err := s.TryVoucher(ctx, guardianID, r); problem.Is(err, problem.KindConflict) {
		r.Voucher = ""
	} else if err != nil && problem.As(err) == nil {
		return err
	}
	tag, err := s.DB.Exec(ctx, `
		INSERT INTO basket_line (id, guardian_id, child_id, camp_id, ticket_id, stop_out_id, stop_back_id, options, without_bus, derogation, remark, voucher, created_at)
		SELECT @id, @guardian, @child, c.id, @ticket, @stop_out, @stop_back, @options, @without_bus, @derogation, @remark, @voucher, @now
		FROM camp c
		WHERE c.id = @camp
		  AND c.published
		  AND NOT EXISTS (SELECT 1 FROM registration q WHERE q.submission_key = @id)
		ON CONFLICT (guardian_id, child_id, camp_id)
		DO UPDATE SET id = `+freshKey+`, ticket_id = EXCLUDED.ticket_id, stop_out_id = EXCLUDED.stop_out_id, stop_back_id = EXCLUDED.stop_back_id,
		  options = EXCLUDED.options, without_bus = EXCLUDED.without_bus, derogation = EXCLUDED.derogation, remark = EXCLUDED.remark,
		  voucher = EXCLUDED.voucher`,
		pgx.NamedArgs{
			"id": r.Key, "guardian": guardianID, "child": r.ChildID, "camp": r.CampID, "ticket": r.TicketID,
			"stop_out": r.StopOutID, "stop_back": r.StopBackID, "options": nonNil(r.OptionIDs), "without_bus": r.WithoutBus,
			"derogation": r.Derogation, "remark": clip(r.Remark, maxRemark), "voucher": tariff.Code(r.Voucher), "now": s.Now(),
		})
	switch db.Constraint(err) {
	case "basket_line_ticket_id_fkey", "basket_line_stop_out_id_fkey", "basket_line_stop_back_id_fkey":
		return problem.Invalid("form.unreadable")
	}
	if err != nil {
		return fmt.Errorf("keeping a basket line: %w", err)
	}
	if tag.RowsAffected() == 1 {
		return nil
	}
	if _, err := s.again(ctx, s.DB, guardianID, r.Key); err == nil {
		return nil // the form went through already
	}
	return problem.NotFound("camp.not_found")
}

// clip cuts a text to at most that many bytes, between two letters.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

// Line returns one line of the guardian's basket, or NotFound.
func (s *Store) Line(ctx context.Context, guardianID, lineID uuid.UUID) (Request, error) {
	lines, err := s.Basket(ctx, guardianID)
	if err != nil {
		return Request{}, err
	}
	if i := slices.IndexFunc(lines, func(l Request) bool { return l.Key == lineID }); i >= 0 {
		return lines[i], nil
	}
	return Request{}, problem.NotFound("basket.line_not_found")
}

// Sent returns the registrations that lines of the guardian's basket became, by the line's id.
func (s *Store) Sent(ctx context.Context, guardianID uuid.UUID, lineIDs []uuid.UUID) (map[uuid.UUID]uuid.UUID, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT submission_key, id
		FROM registration
		WHERE submission_key = ANY(@ids)
		  AND registrant_id = @guardian`,
		pgx.NamedArgs{"ids": lineIDs, "guardian": guardianID})
	if err != nil {
		return nil, fmt.Errorf("reading what baskets became: %w", err)
	}
	sent := map[uuid.UUID]uuid.UUID{}
	var key, id uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&key, &id}, func() error {
		sent[key] = id
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading what baskets became: %w", err)
	}
	return sent, nil
}
