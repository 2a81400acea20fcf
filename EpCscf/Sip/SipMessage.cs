using System.Security.Cryptography;

namespace WebRtcIms.EpCscf.Sip;

/// <summary>Methods that this server treats in a way of their own; all others are forwarded alike.</summary>
internal static class Method
{
    public const string Ack = "ACK";
    public const string Bye = "BYE";
    public const string Cancel = "CANCEL";
    public const string Invite = "INVITE";
    public const string Options = "OPTIONS";
    public const string Register = "REGISTER";
}

/// <summary>A SIP message. The fields that every message must have are read once; header fields may be changed for forwarding.</summary>
internal abstract class SipMessage
{
    public required SipHeaders Headers { get; init; }

    public required NameAddress From { get; init; }

    public required NameAddress To { get; init; }

    public required string CallId { get; init; }

    public required CSeq CSeq { get; init; }

    public ReadOnlyMemory<byte> Body { get; init; }

    public Via TopVia => Via.Parse(Headers.Values(HeaderName.Via).First())!;

    /// <summary>What would be written out holds a token and SDP; nobody may do that by accident.</summary>
    public override string ToString() => GetType().Name;
}

internal sealed class SipRequest : SipMessage
{
    public required string Method { get; init; }

    public required string Uri { get; init; }

    /// <summary>The request URI, or null when it is of another scheme.</summary>
    public SipUri? SipUri => Sip.SipUri.Parse(Uri);

    public int MaxForwards { get; init; } = 70;

    public bool IsInDialog => To.Tag is not null;

    /// <summary>A tag for To: 64 random bits.</summary>
    public static string NewTag() => RandomNumberGenerator.GetHexString(16, lowercase: true);

    /// <summary>A copy to forward: another URI where given, header fields that can be changed without touching this message.</summary>
    public SipRequest Copy(string? uri = null) => new()
    {
        Method = Method,
        Uri = uri ?? Uri,
        Headers = Headers.Clone(),
        From = From,
        To = To,
        CallId = CallId,
        CSeq = CSeq,
        Body = Body,
        MaxForwards = MaxForwards,
    };

    /// <summary>An answer from here, built as RFC 3261 §8.2.6 says.</summary>
    /// <param name="statusCode">100 to 699.</param>
    /// <param name="reason">A sentence or the name of the status.</param>
    /// <param name="toTag">Added to To when the request had none; not for 100.</param>
    public SipResponse Answer(int statusCode, string reason, string? toTag = null)
    {
        var headers = new SipHeaders();
        headers.CopyFrom(Headers, HeaderName.Via);
        headers.CopyFrom(Headers, HeaderName.From);
        var to = Headers.First(HeaderName.To)!;
        headers.Add(HeaderName.To, toTag is null || To.Tag is not null ? to : $"{to};tag={toTag}");
        headers.CopyFrom(Headers, HeaderName.CallId);
        headers.CopyFrom(Headers, HeaderName.CSeq);
        return new()
        {
            StatusCode = statusCode,
            Reason = reason,
            Headers = headers,
            From = From,
            To = NameAddress.Parse(headers.First(HeaderName.To)) ?? To,
            CallId = CallId,
            CSeq = CSeq,
        };
    }
}

internal sealed class SipResponse : SipMessage
{
    public required int StatusCode { get; init; }

    public required string Reason { get; init; }

    public bool IsProvisional => StatusCode < 200;

    public bool IsSuccess => StatusCode is >= 200 and < 300;

    public SipResponse Copy() => new()
    {
        StatusCode = StatusCode,
        Reason = Reason,
        Headers = Headers.Clone(),
        From = From,
        To = To,
        CallId = CallId,
        CSeq = CSeq,
        Body = Body,
    };
}
