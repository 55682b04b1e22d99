package job

import (
	"testing"
	"time"

	"github.com/riverqueue/river/rivertype"
)

func TestNextRetry(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		attempts, failed int
		want             time.Duration
	}{
		{25, 0, 2 * time.Second},
		{25, 1, 4 * time.Second},
		{25, 5, 64 * time.Second},
		{25, 24, 30 * time.Minute},
		{forever, 0, 2 * time.Second},
		{forever, 4, 32 * time.Second},
		{forever, 30000, time.Minute},
	} {
		row := &rivertype.JobRow{MaxAttempts: tc.attempts, Errors: make([]rivertype.AttemptError, tc.failed)}
		got := time.Until(retryPolicy{}.NextRetry(row))
		if off := got - tc.want; off.Abs() > tc.want/5+time.Second {
			t.Errorf("after %d failures of %d: %v, want about %v", tc.failed, tc.attempts, got, tc.want)
		}
	}
}
