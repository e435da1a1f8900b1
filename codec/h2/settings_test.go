package h2

import "testing"

func TestSettingsRead(t *testing.T) {
	f := func(in []Setting, want func(*Settings), wantErr error) {
		t.Helper()
		got, expect := DefaultSettings, DefaultSettings
		err := got.Read(frame(TypeSettings, 0, 0, string(AppendSettings(nil, in...)[HeaderLen:])))
		want(&expect)
		if got != expect || err != wantErr {
			t.Errorf("%v: %+v %v, want %+v %v", in, got, err, expect, wantErr)
		}
	}
	same := func(*Settings) {}
	f(nil, same, nil)
	f([]Setting{{TableSize, 0}}, func(s *Settings) { s.Table = 0 }, nil)
	f([]Setting{{TableSize, 1<<32 - 1}}, func(s *Settings) { s.Table = 1<<32 - 1 }, nil)
	f([]Setting{{MaxStreams, 0}, {MaxListSize, 9}}, func(s *Settings) { s.Streams, s.List = 0, 9 }, nil)
	f([]Setting{{EnableConnect, 1}}, func(s *Settings) { s.Connect = true }, nil)
	f([]Setting{{NoOldPriorities, 1}, {NoOldPriorities, 0}}, same, nil)

	// "Any value other than 0 or 1 MUST be treated as a connection error of type PROTOCOL_ERROR." RFC 9113 §6.5.2
	f([]Setting{{EnablePush, 0}}, func(s *Settings) { s.Push = false }, nil)
	f([]Setting{{EnablePush, 1}}, same, nil)
	f([]Setting{{EnablePush, 2}}, same, errSettingPush)
	// "Values above the maximum flow-control window size of 2^31-1 MUST be treated as a connection error of type
	// FLOW_CONTROL_ERROR." RFC 9113 §6.5.2
	f([]Setting{{InitialWindow, 0}}, func(s *Settings) { s.Window = 0 }, nil)
	f([]Setting{{InitialWindow, 1<<31 - 1}}, func(s *Settings) { s.Window = 1<<31 - 1 }, nil)
	f([]Setting{{InitialWindow, 1 << 31}}, same, errSettingWindow)
	// "The initial value is 2^14 octets. The value advertised by an endpoint MUST be between this initial value and the
	// maximum allowed frame size (2^24-1), inclusive." RFC 9113 §6.5.2
	f([]Setting{{MaxFrameSize, 1<<14 - 1}}, same, errSettingFrame)
	f([]Setting{{MaxFrameSize, 1 << 14}}, same, nil)
	f([]Setting{{MaxFrameSize, 1<<24 - 1}}, func(s *Settings) { s.Frame = 1<<24 - 1 }, nil)
	f([]Setting{{MaxFrameSize, 1 << 24}}, same, errSettingFrame)
	// "The value of the parameter MUST be 0 or 1." RFC 8441 §3, and RFC 9218 §2.1
	f([]Setting{{EnableConnect, 2}}, same, errSettingConnect)
	f([]Setting{{NoOldPriorities, 2}}, same, errSettingOrder)
	// "An endpoint that receives a SETTINGS frame with any unknown or unsupported identifier MUST ignore that setting."
	// RFC 9113 §6.5.2
	f([]Setting{{0, 7}, {0x7, 1 << 31}, {0xa, 2}, {0xfafa, 1<<32 - 1}}, same, nil)
	// "The values in the SETTINGS frame MUST be processed in the order they appear." RFC 9113 §6.5.3
	f([]Setting{{InitialWindow, 1}, {InitialWindow, 2}}, func(s *Settings) { s.Window = 2 }, nil)
	f([]Setting{{InitialWindow, 1}, {EnablePush, 7}, {InitialWindow, 2}}, func(s *Settings) { s.Window = 1 }, errSettingPush)
}

func TestSettingErrors(t *testing.T) {
	f := func(err *Error, code Code) {
		t.Helper()
		if err.Code != code || err.Scope != Connection {
			t.Errorf("%v has scope %d", err, err.Scope)
		}
	}
	f(errSettingWindow, FlowControlError)
	f(errSettingPush, ProtocolError)
	f(errSettingFrame, ProtocolError)
	f(errSettingConnect, ProtocolError)
	f(errSettingOrder, ProtocolError)
}
