package portal

import (
	"context"
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"ribambelle/internal/civil"
	"ribambelle/internal/locale"
)

// texts returns the one text column of a statement.
func (s *server) texts(ctx context.Context, sql string, args ...any) ([]string, error) {
	rows, err := s.DB.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("reading a list: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("reading a list: %w", err)
	}
	return list, nil
}

// schoolYear writes the school year of a day: « 2026-2027 ».
func schoolYear(day civil.Date) string {
	y := civil.SchoolYear(day)
	return strconv.Itoa(y) + "-" + strconv.Itoa(y+1)
}

// campDays writes the days of a camp: « du lundi 5 au vendredi 9 juillet 2027, 5 jours ».
func (s *server) campDays(ctx context.Context, l *locale.Locale, id uuid.UUID) (string, error) {
	var first, last civil.Date
	var days int
	err := s.DB.QueryRow(ctx, `
		SELECT min(day), max(day), count(DISTINCT day)::int
		FROM camp_session
		WHERE camp_id = @camp
		  AND state <> 'cancelled'`,
		pgx.NamedArgs{"camp": id}).Scan(&first, &last, &days)
	if err != nil {
		return "", fmt.Errorf("reading the days of camp %s: %w", id, err)
	}
	if days == 0 {
		return "", nil
	}
	return when(l, offer{FirstDay: first, LastDay: last, Days: days}), nil
}
