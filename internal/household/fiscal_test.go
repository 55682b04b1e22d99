package household_test

import (
	"fmt"
	"strings"
	"testing"

	"ribambelle/internal/problem"
)

// TestOwnNumber keeps a guardian's number sealed, shows its mask only, and refuses what is no number without saying it.
func TestOwnNumber(t *testing.T) {
	t.Parallel()
	s, b := setup(t)
	g := b.guardian(t, s, "anne@example.org")
	err := s.SaveOwnNumber(t.Context(), g.ID, "85.07.30-033.29")
	if !problem.Is(err, problem.KindInvalid) || strings.Contains(err.Error(), "033") {
		t.Fatalf("a wrong number gives %v", err)
	}
	if err := s.SaveOwnNumber(t.Context(), g.ID, "85.07.30-033.28"); err != nil {
		t.Fatal(err)
	}
	n, err := s.OwnNumber(t.Context(), g.ID)
	if err != nil || n.Digits() != "85073003328" || fmt.Sprint(n) != "••.••.••-•••.28" {
		t.Errorf("kept %v (%v)", n, err)
	}
	var readable bool
	err = b.db.QueryRow(t.Context(), `SELECT encode(national_number, 'escape') LIKE '%85073003328%' FROM guardian`).Scan(&readable)
	if err != nil || readable {
		t.Errorf("the number stands readable (%v)", err)
	}
	if err := s.SaveOwnNumber(t.Context(), g.ID, " "); err != nil {
		t.Fatal(err)
	}
	if n, err := s.OwnNumber(t.Context(), g.ID); err != nil || !n.IsZero() {
		t.Errorf("a forgotten number is %v (%v)", n, err)
	}
	var lines int
	err = b.db.QueryRow(t.Context(), `SELECT count(*) FROM audit WHERE action = 'guardian.number' AND detail::text NOT LIKE '%033%'`).Scan(&lines)
	if err != nil || lines != 2 {
		t.Errorf("%d lines in the audit (%v)", lines, err)
	}
}
