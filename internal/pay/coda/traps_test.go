package coda

import (
	"testing"
)

// TestTraps reads what a second record tells: the reference of whoever ordered the transfer, and why it came back.
func TestTraps(t *testing.T) {
	t.Parallel()
	text := file(
		400,
		moved("0001", "0000", 100, "0+++202/6000/00192+++"),
		line(map[int]string{0: "22", 2: "0001", 63: "RB12"}),
		moved("0002", "0000", 100, "0"),
		line(map[int]string{0: "22", 2: "0002", 63: "RB13", 112: "2", 113: "AC04"}),
		moved("0003", "0000", 100, "0"),
		line(map[int]string{0: "22", 2: "0003", 63: "NOTPROVIDED", 112: "1"}),
		moved("0004", "0000", 100, "0+++202/6000/00192+++ merci"),
		line(map[int]string{0: "22", 2: "0004", 63: "0000000", 112: "0"}),
	)
	all := parse(t, text)
	e := all[0].Entries
	if len(e) != 4 || len(codes(all)) != 0 {
		t.Fatalf("%d entries, %v", len(e), codes(all))
	}
	if e[0].Communication != "202600000192" || e[0].FreeText != "" || e[0].EndToEnd != "RB12" || e[0].Returned != "" {
		t.Errorf("as printed in free words: %+v", e[0])
	}
	if e[1].EndToEnd != "RB13" || e[1].Returned != "AC04" {
		t.Errorf("returned: %+v", e[1])
	}
	if e[2].EndToEnd != "" || e[2].Returned != "RTRN" {
		t.Errorf("rejected without a reason: %+v", e[2])
	}
	if e[3].Communication != "" || e[3].Returned != "" || e[3].EndToEnd != "" {
		t.Errorf("with a word beside it: %+v", e[3])
	}
}
