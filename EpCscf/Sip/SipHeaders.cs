namespace WebRtcIms.EpCscf.Sip;

/// <summary>Names of the header fields that this server reads or writes, in the spelling of RFC 3261.</summary>
internal static class HeaderName
{
    public const string Accept = "Accept";
    public const string Allow = "Allow";
    public const string AllowEvents = "Allow-Events";
    public const string Authorization = "Authorization";
    public const string CallId = "Call-ID";
    public const string Contact = "Contact";
    public const string ContentLength = "Content-Length";
    public const string ContentType = "Content-Type";
    public const string CSeq = "CSeq";
    public const string Date = "Date";
    public const string Event = "Event";
    public const string Expires = "Expires";
    public const string From = "From";
    public const string MaxForwards = "Max-Forwards";
    public const string MinExpires = "Min-Expires";
    public const string Path = "Path";
    public const string Privacy = "Privacy";
    public const string ProxyAuthorization = "Proxy-Authorization";
    public const string ProxyRequire = "Proxy-Require";
    public const string PAssertedIdentity = "P-Asserted-Identity";
    public const string PAssociatedUri = "P-Associated-URI";
    public const string PPreferredIdentity = "P-Preferred-Identity";
    public const string Reason = "Reason";
    public const string RecordRoute = "Record-Route";
    public const string Require = "Require";
    public const string RetryAfter = "Retry-After";
    public const string Route = "Route";
    public const string ServiceRoute = "Service-Route";
    public const string SubscriptionState = "Subscription-State";
    public const string Supported = "Supported";
    public const string To = "To";
    public const string Traceparent = "Traceparent";
    public const string Unsupported = "Unsupported";
    public const string Via = "Via";
    public const string WwwAuthenticate = "WWW-Authenticate";

    // Compact forms (RFC 3261 §7.3.3, RFC 3515, RFC 3892, RFC 6665, RFC 4028, RFC 8224, RFC 4474, RFC 3841).
    private static readonly string[] Compact =
    [
        "a=Accept-Contact", "b=Referred-By", "c=Content-Type", "d=Request-Disposition", "e=Content-Encoding", "f=From", "i=Call-ID",
        "j=Reject-Contact", "k=Supported", "l=Content-Length", "m=Contact", "n=Identity-Info", "o=Event", "r=Refer-To", "s=Subject", "t=To",
        "u=Allow-Events", "v=Via", "x=Session-Expires", "y=Identity",
    ];

    private static readonly string[] Known =
    [
        Accept, Allow, AllowEvents, Authorization, CallId, Contact, ContentLength, ContentType, CSeq, Date, Event, Expires, From,
        MaxForwards, MinExpires,
        Path, Privacy, ProxyAuthorization, ProxyRequire, PAssertedIdentity, PAssociatedUri, PPreferredIdentity, Reason, RecordRoute,
        Require, RetryAfter, Route, ServiceRoute, SubscriptionState, Supported, To, Traceparent, Unsupported, Via, WwwAuthenticate,
    ];

    private static readonly Dictionary<string, string> Canonical = Known.Select(name => (Key: name, Name: name))
        .Concat(Compact.Select(pair => (Key: pair[..1], Name: pair[2..])))
        .ToDictionary(pair => pair.Key, pair => pair.Name, StringComparer.OrdinalIgnoreCase);

    /// <summary>The usual spelling of a name in another case or in compact form. An unknown name stays unchanged.</summary>
    public static string Normalize(string name) => Canonical.GetValueOrDefault(name, name);
}

/// <summary>
/// Header fields in their order, with names in their usual spelling. Several lines of one name, and one line with commas, read alike
/// (RFC 3261 §7.3.1).
/// </summary>
internal sealed class SipHeaders
{
    private readonly List<(string Name, string Value)> _fields = [];

    public SipHeaders()
    {
    }

    private SipHeaders(IEnumerable<(string Name, string Value)> fields) => _fields.AddRange(fields);

    public IReadOnlyList<(string Name, string Value)> Fields => _fields;

    public SipHeaders Clone() => new(_fields);

    public bool Has(string name) => IndexOf(name) >= 0;

    public int Count(string name) => _fields.Count(field => Is(field.Name, name));

    public string? First(string name) => IndexOf(name) is >= 0 and var index ? _fields[index].Value : null;

    /// <summary>Every value of that name, also those that share a line.</summary>
    public IEnumerable<string> Values(string name) =>
        _fields.Where(field => Is(field.Name, name)).SelectMany(field => HeaderText.Split(field.Value));

    /// <summary>Whether an option tag or another token is among the values.</summary>
    public bool HasToken(string name, string token) => Values(name).Contains(token, StringComparer.OrdinalIgnoreCase);

    public void Add(string name, string value) => _fields.Add((name, value));

    /// <summary>Inserts a value before all others of that name, or before all other fields if there is none.</summary>
    public void Push(string name, string value) => _fields.Insert(Math.Max(0, IndexOf(name)), (name, value));

    /// <summary>Removes the topmost value.</summary>
    public void Pop(string name)
    {
        var index = IndexOf(name);
        if (index < 0) return;
        var values = HeaderText.Split(_fields[index].Value);
        if (values.Count <= 1) _fields.RemoveAt(index);
        else _fields[index] = (name, string.Join(", ", values.Skip(1)));
    }

    /// <summary>Replaces all lines of that name by one.</summary>
    public void Set(string name, string value) => Set(name, [value]);

    /// <summary>Replaces all lines of that name by one for each value.</summary>
    public void Set(string name, IEnumerable<string> values)
    {
        var index = IndexOf(name);
        Remove(name);
        _fields.InsertRange(index < 0 ? _fields.Count : index, values.Select(value => (name, value)));
    }

    /// <summary>Every line of that name.</summary>
    public IReadOnlyList<string> Lines(string name) => [.. _fields.Where(field => Is(field.Name, name)).Select(field => field.Value)];

    public void Remove(string name) => _fields.RemoveAll(field => Is(field.Name, name));

    public void RemovePrefix(string prefix) =>
        _fields.RemoveAll(field => field.Name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase));

    public void CopyFrom(SipHeaders other, string name)
    {
        foreach (var field in other._fields.Where(field => Is(field.Name, name))) _fields.Add(field);
    }

    private static bool Is(string name, string other) => name.Equals(other, StringComparison.OrdinalIgnoreCase);

    private int IndexOf(string name) => _fields.FindIndex(field => Is(field.Name, name));
}
