package reports

import (
	"testing"

	"ribambelle/internal/civil"
	"ribambelle/internal/locale"
)

// BenchmarkRegister draws the register of a thousand children with ten sessions.
func BenchmarkRegister(b *testing.B) {
	r := many(1000)
	j := job{by: "Anne Claes", loc: locale.For("fr"), now: now, today: civil.DateOf(now, civil.Brussels), medics: true}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := drawRegister(registre, j, r); err != nil {
			b.Fatal(err)
		}
	}
}

// TestRegisterOfThousand holds a bound on what a large register costs. It is not parallel: it counts allocations.
func TestRegisterOfThousand(t *testing.T) {
	j := job{by: "Anne Claes", loc: locale.For("fr"), now: now, today: civil.DateOf(now, civil.Brussels), medics: true}
	var body []byte
	allocated := testing.AllocsPerRun(1, func() {
		var err error
		if body, err = drawRegister(registre, j, many(1000)); err != nil {
			t.Fatal(err)
		}
	})
	// Read back and written again by the library, the sheet would cost four times as much.
	if allocated > 400_000 {
		t.Errorf("%.0f allocations for a thousand children", allocated)
	}
	show(t, "registre-1000.xlsx", body)
	if got := len(rowsOf(t, open(t, body))); got != 1002 {
		t.Errorf("%d rows, want the heading, 1000 children and the count", got)
	}
}

// BenchmarkInvoice draws one invoice.
func BenchmarkInvoice(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := InvoicePDF(invoice()); err != nil {
			b.Fatal(err)
		}
	}
}
