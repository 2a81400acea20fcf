using WebRtcIms.EpCscf.Settings;
using WebRtcIms.EpCscf.Sip;

namespace WebRtcIms.EpCscf.Core;

/// <summary>A subscription in the HSS. The first identity is the default one. All are registered together.</summary>
/// <param name="Impi">Private user identity.</param>
/// <param name="Impus">Public user identities as addresses of record.</param>
/// <param name="DisplayName">Shown to callees; may be empty.</param>
/// <param name="AllowedWafs">WAFs that may vouch for this subscription.</param>
/// <param name="AllowedWwsfs">WWSFs that may vouch for this subscription.</param>
/// <param name="Leased">Its place in a pool, which a WWSF leases to one session after the other; null for that of a person.</param>
internal sealed record Subscriber(
    string Impi, IReadOnlyList<string> Impus, string DisplayName, IReadOnlyList<string> AllowedWafs, IReadOnlyList<string> AllowedWwsfs,
    LeasedIdentity? Leased = null)
{
    /// <summary>May be a person's name.</summary>
    public override string ToString() => "***";
}

/// <summary>An identity of a pool.</summary>
/// <param name="Pool">Such as <c>guest</c>.</param>
/// <param name="Number">From 1 on.</param>
internal sealed record LeasedIdentity(string Pool, int Number);

/// <summary>The answer of the core to a registration.</summary>
internal enum CoreDecision
{
    Allowed,
    UnknownSubscription,
    IdentityNotOfSubscription,
    WafNotAllowed,
    WwsfNotAllowed,
}

/// <summary>
/// A model of the IMS core inside this process: the parts of S-CSCF and HSS that an eP-CSCF talks to. It is not a core: there is no
/// I-CSCF, no application server, no charging and no other network, and the subscribers come from the configuration.
/// It answers what would go over Mw. One question is a REGISTER with trusted node authentication (TS 33.203 Annex U): this node has
/// authenticated the user by token, so the S-CSCF does not challenge again. The other is where a public user identity is registered.
/// A real core would replace this class, with a SIP leg that sends <c>integrity-protected="auth-done"</c>, Path, P-Visited-Network-ID and
/// P-Charging-Vector.
/// </summary>
internal sealed class CoreModel
{
    private readonly Dictionary<string, Subscriber> _byImpi = [];
    private readonly Dictionary<string, Subscriber> _byImpu = [];

    /// <exception cref="SettingsException">Two subscriptions have the same identity.</exception>
    public CoreModel(EpCscfSettings settings)
    {
        foreach (var subscriber in settings.Subscribers)
        {
            Add(new(
                subscriber.Impi, [.. subscriber.Impus.Select(impu => SipUri.Parse(impu)!.AddressOfRecord)], subscriber.DisplayName,
                subscriber.AllowedWafs, subscriber.AllowedWwsfs));
        }

        foreach (var pool in settings.Pools)
        {
            foreach (var number in Enumerable.Range(1, pool.Size)) Add(PoolMember(pool, number, settings.HomeDomain));
        }
    }

    public IEnumerable<Subscriber> Subscribers => _byImpi.Values;

    public Subscriber? FindByImpu(string addressOfRecord) => _byImpu.GetValueOrDefault(addressOfRecord);

    /// <summary>
    /// Decides on the registration of an identity with a token that this node has checked. TS 29.228 §6.5.2.5 defines the allowed WAF and
    /// WWSF identities.
    /// </summary>
    public CoreDecision Register(RegistrationToken token, string addressOfRecord, out Subscriber? subscriber)
    {
        if (!_byImpi.TryGetValue(token.Impi, out subscriber)) return CoreDecision.UnknownSubscription;
        if (!subscriber.Impus.Contains(addressOfRecord)) return CoreDecision.IdentityNotOfSubscription;
        if (!subscriber.AllowedWafs.Contains(token.Waf)) return CoreDecision.WafNotAllowed;
        return subscriber.AllowedWwsfs.Contains(token.Wwsf) ? CoreDecision.Allowed : CoreDecision.WwsfNotAllowed;
    }

    private static Subscriber PoolMember(PoolSettings pool, int number, string domain)
    {
        var user = string.Create(CultureInfo.InvariantCulture, $"{pool.Name}-{number}");
        var shown = pool.DisplayName.Length == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{pool.DisplayName} {number}");
        return new(
            $"{user}@{domain}", [$"sip:{user}@{domain}"], shown, pool.AllowedWafs, pool.AllowedWwsfs,
            new LeasedIdentity(pool.Name, number));
    }

    private void Add(Subscriber subscriber)
    {
        if (!_byImpi.TryAdd(subscriber.Impi, subscriber)) throw SettingsException.Of([$"EpCscf has the IMPI '{subscriber.Impi}' twice"]);
        foreach (var impu in subscriber.Impus)
        {
            if (!_byImpu.TryAdd(impu, subscriber)) throw SettingsException.Of([$"EpCscf has the IMPU '{impu}' twice"]);
        }
    }
}
