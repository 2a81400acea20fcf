namespace WebRtcIms.EpCscf.Sip;

/// <summary>Methods that this server handles specially. It forwards all others alike.</summary>
internal static class Method
{
    public const string Ack = "ACK";
    public const string Bye = "BYE";
    public const string Cancel = "CANCEL";
    public const string Invite = "INVITE";
    public const string Notify = "NOTIFY";
    public const string Options = "OPTIONS";
    public const string Register = "REGISTER";
    public const string Subscribe = "SUBSCRIBE";

    /// <summary>The methods of the SIP RFCs. Users may send each other others as well.</summary>
    public static readonly IReadOnlySet<string> Standard = new HashSet<string>
    {
        Ack, Bye, Cancel, "INFO", Invite, "MESSAGE", Notify, Options, "PRACK", "PUBLISH", "REFER", Register, Subscribe, "UPDATE",
    };

    public static bool IsStandard(string method) => Standard.Contains(method);
}

/// <summary>A SIP message. The mandatory fields are read once. Header fields may be changed for forwarding.</summary>
internal abstract record SipMessage
{
    public required SipHeaders Headers { get; init; }

    public required NameAddress From { get; init; }

    public required NameAddress To { get; init; }

    public required string CallId { get; init; }

    public required CSeq CSeq { get; init; }

    public ReadOnlyMemory<byte> Body { get; init; }

    public Via TopVia => Via.Parse(Headers.Values(HeaderName.Via).First())!;

    /// <summary>Without content: a message may hold a token and SDP, which must not reach a log by accident.</summary>
    public sealed override string ToString() => GetType().Name;
}

internal sealed record SipRequest : SipMessage
{
    public required string Method { get; init; }

    public required string Uri { get; init; }

    /// <summary>The request URI; null if its scheme is not sip or sips.</summary>
    public SipUri? SipUri => Sip.SipUri.Parse(Uri);

    public int MaxForwards { get; init; } = 70;

    public bool IsInDialog => To.Tag is not null;

    /// <summary>A tag for To: 64 random bits.</summary>
    public static string NewTag() => RandomNumberGenerator.GetHexString(16, lowercase: true);

    /// <summary>A copy to forward, with another URI if given. Its header fields can be changed without changing this message.</summary>
    public SipRequest Copy(string? uri = null) => this with { Uri = uri ?? Uri, Headers = Headers.Clone() };

    /// <summary>
    /// The ACK of a refusal (§17.1.1.3) or the CANCEL (§9.1) of this request: only its topmost Via, and its Route, From and Call-ID.
    /// </summary>
    /// <param name="method">ACK or CANCEL.</param>
    /// <param name="target">Gives the To: the response for an ACK, this request for a CANCEL.</param>
    public SipRequest Derive(string method, SipMessage target)
    {
        var cseq = CSeq with { Method = method };
        var headers = new SipHeaders();
        headers.Add(HeaderName.Via, Headers.Values(HeaderName.Via).First());
        headers.CopyFrom(Headers, HeaderName.Route);
        headers.Add(HeaderName.MaxForwards, "70");
        headers.CopyFrom(Headers, HeaderName.From);
        // A response that could not be read may have none.
        var to = target.Headers.Has(HeaderName.To) ? target : this;
        headers.CopyFrom(to.Headers, HeaderName.To);
        headers.CopyFrom(Headers, HeaderName.CallId);
        headers.Add(HeaderName.CSeq, cseq.ToString());
        return new() { Method = method, Uri = Uri, Headers = headers, From = From, To = to.To, CallId = CallId, CSeq = cseq };
    }

    /// <summary>A response from this server (§8.2.6).</summary>
    /// <param name="statusCode">100 to 699.</param>
    /// <param name="reason">A sentence or the name of the status.</param>
    /// <param name="toTag">Added to To if the request had none; not for 100.</param>
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

internal sealed record SipResponse : SipMessage
{
    public required int StatusCode { get; init; }

    public required string Reason { get; init; }

    /// <summary>
    /// Why the response could not be read; null if it could. It then has only what finds its transaction: the topmost Via, and what it
    /// tells of CSeq.
    /// </summary>
    public string? Problem { get; init; }

    public bool IsProvisional => StatusCode < 200;

    public bool IsSuccess => StatusCode is >= 200 and < 300;

    public SipResponse Copy() => this with { Headers = Headers.Clone() };
}
