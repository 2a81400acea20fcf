using WebRtcIms.EpCscf.Registration;
using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.Fuzz.Targets;

/// <summary>
/// Reads a SIP message and all that the server asks of one, then writes it as it would be forwarded: who gets that must read the same
/// message, with no line that was not a line before.
/// </summary>
internal static class SipTarget
{
    public static void Run(byte[] octets)
    {
        var parsed = SipParser.Parse(octets);
        FindingException.ThrowUnless(parsed.Message is not null || parsed.Error is not null, "what cannot be used has a reason");
        if (parsed.Answer is { } answer) CheckLines(answer, SipWriter.Write(answer).Span);
        switch (parsed.Message)
        {
            case SipRequest request:
                ReadEverything(request);
                _ = request.SipUri?.AddressOfRecord;
                CheckWritten(request.Copy(), request);
                CheckLines(request, SipWriter.Write(request.Answer(486, "Busy Here", SipRequest.NewTag())).Span);
                break;
            case SipResponse { Problem: not null } unreadable:
                _ = unreadable.TopVia.Branch;
                break;
            case SipResponse response:
                ReadEverything(response);
                CheckWritten(response.Copy(), response);
                break;
            default:
                break;
        }
    }

    private static void ReadEverything(SipMessage message)
    {
        _ = message.TopVia.Branch;
        _ = (message.From.Tag, message.To.Tag);
        _ = BearerCredentials.Find(message.Headers);
        foreach (var (name, _) in message.Headers.Fields)
        {
            foreach (var value in message.Headers.Values(name))
            {
                if (NameAddress.Parse(value) is { } address)
                    _ = (address.Uri?.AddressOfRecord, address.Parameters["expires"], address.Parameters["+sip.instance"]);
                _ = Via.Parse(value)?.Branch;
            }
        }

        foreach (var name in (string[])[HeaderName.Route, HeaderName.Via, HeaderName.Contact])
        {
            var left = message.Headers.Clone();
            while (left.Has(name))
            {
                var before = left.Values(name).Count();
                left.Pop(name);
                FindingException.ThrowUnless(left.Values(name).Count() == before - 1, "taking the topmost value takes one");
            }
        }
    }

    private static void CheckWritten(SipMessage copy, SipMessage original)
    {
        var written = SipWriter.Write(copy);
        CheckLines(copy, written.Span);
        if (written.Length > SipParser.MaxMessageLength || copy.Headers.Fields.Count >= SipParser.MaxHeaders) return;
        var again = SipParser.Parse(written.Span);
        FindingException.ThrowUnless(again.Message is not null, "a message that is forwarded can be read");
        var message = again.Message;
        FindingException.ThrowUnless(message.Body.Span.SequenceEqual(original.Body.Span), "the body is the same");
        FindingException.ThrowUnless(message.CallId == original.CallId && message.CSeq == original.CSeq, "the dialogue is the same");
        FindingException.ThrowUnless(message.From.UriText == original.From.UriText
            && message.To.Tag == original.To.Tag, "who calls whom is the same");
        FindingException.ThrowUnless(Others(message).SequenceEqual(Others(original)), "the header fields are the same");
        var isSame = (message, original) switch
        {
            (SipRequest one, SipRequest other) => one.Method == other.Method && one.Uri == other.Uri,
            (SipResponse one, SipResponse other) => one.StatusCode == other.StatusCode && one.Reason == other.Reason,
            _ => false,
        };
        FindingException.ThrowUnless(isSame, "the start line is the same");
    }

    private static ReadOnlySpan<(string Name, string Value)> Others(SipMessage message) =>
        message.Headers.Fields.Where(field => field.Name != HeaderName.ContentLength).ToArray();

    // Who reads lines by CR or LF alone must find no other lines than we wrote.
    private static void CheckLines(SipMessage message, ReadOnlySpan<byte> written)
    {
        var head = written[..(written.IndexOf("\r\n\r\n"u8) + 2)];
        for (var i = 0; i < head.Length; i++)
        {
            if (head[i] == '\n') FindingException.ThrowUnless(i > 0 && head[i - 1] == '\r', "a line feed ends a line");
            if (head[i] == '\r') FindingException.ThrowUnless(i + 1 < head.Length && head[i + 1] == '\n', "a carriage return ends a line");
        }

        var lines = head.Count("\r\n"u8);
        FindingException.ThrowUnless(lines <= message.Headers.Fields.Count + 2, "no line is added");
    }
}
