using System.Runtime.InteropServices;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Allocations;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Primitives;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Admission;

/// <summary>A limit on live allocations.</summary>
internal enum Quota
{
    Total,
    ClientAddress,
    Token,
    User,
    TokenInFleet,
    AddressesOfToken,
    RateOfToken,
    RateOfClientAddress,
}

/// <summary>What an allocation counts for.</summary>
/// <param name="Client">The client's address.</param>
/// <param name="User">The user. Every credential has one.</param>
/// <param name="Token">The token; null for a user with a password.</param>
/// <param name="Now">The time.</param>
/// <param name="TokenEnds">When the token ends.</param>
internal readonly record struct AllocationClaim(
    InternetAddress Client, string User, TokenName? Token = null, DateTimeOffset Now = default, DateTimeOffset TokenEnds = default);

/// <summary>
/// Live allocations of this node, counted in all, per client address (an IPv6 one with its whole /64), per token and per user (RFC 8656
/// §21.3.1); and the client addresses of each token. A place is taken before an allocation is made and given back exactly once.
/// </summary>
internal sealed class AllocationQuotas(QuotaSettings settings)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<InternetAddress, Share> _perAddress = [];
    private readonly Dictionary<TokenName, int> _perToken = [];
    private readonly Dictionary<string, Share> _perUser = [];
    private readonly AllocationRates _rates = new(settings);
    private readonly TokenAddresses _addresses = new(settings.AddressesPerToken);
    private readonly long[] _refusals = new long[Enum.GetValues<Quota>().Length];
    private int _total;

    /// <summary>Live allocations, and those that are being made.</summary>
    public int Total => Volatile.Read(ref _total);

    /// <summary>The number of refusals by each quota.</summary>
    public long Refusals(Quota quota) => Interlocked.Read(ref _refusals[(int)quota]);

    public void CountRefusal(Quota quota) => Interlocked.Increment(ref _refusals[(int)quota]);

    /// <summary>The highest use of each quota of this node, from 0 to 1.</summary>
    public IEnumerable<(Quota Quota, double Use)> Use()
    {
        lock (_gate)
        {
            return
            [
                (Quota.Total, (double)_total / settings.Total),
                (Quota.ClientAddress, Most(_perAddress.Values) / settings.PerClientAddress),
                (Quota.Token, (double)_perToken.Values.DefaultIfEmpty().Max() / settings.PerToken),
                (Quota.User, Most(_perUser.Values) / settings.PerUser),
            ];
        }
    }

    private static double Most(IEnumerable<Share> shares) => shares.Select(share => share.Count).DefaultIfEmpty().Max();

    /// <summary>Counts a request with a token, before a cache keeps it. False when there are too many in this minute.</summary>
    public bool TryCount(TokenName token, InternetAddress client, DateTimeOffset now)
    {
        if (_rates.Count(token, ClientNetwork.Of(client), now) is not { } limit) return true;
        CountRefusal(limit);
        return false;
    }

    /// <summary>Takes a place. Null when a quota is used up.</summary>
    public Lease? TryTake(AllocationClaim claim)
    {
        claim = claim with { Client = ClientNetwork.Of(claim.Client) };
        lock (_gate)
        {
            if (Exhausted(claim) is { } quota)
            {
                CountRefusal(quota);
                return null;
            }

            _total++;
            var address = Add(_perAddress, claim.Client, settings.ClientAddressTraffic.ToLimits());
            var user = Add(_perUser, claim.User, null);
            if (claim.Token is { } token) CollectionsMarshal.GetValueRefOrAddDefault(_perToken, token, out _)++;
            return new Lease(this, claim, user, address);
        }
    }

    // The addresses of the token are last: what another quota refuses adds none.
    private Quota? Exhausted(in AllocationClaim claim)
    {
        if (_total >= settings.Total) return Quota.Total;
        if (_perAddress.GetValueOrDefault(claim.Client)?.Count >= settings.PerClientAddress) return Quota.ClientAddress;
        if (_perUser.GetValueOrDefault(claim.User)?.Count >= settings.PerUser) return Quota.User;
        if (claim.Token is not { } token) return null;
        if (_perToken.GetValueOrDefault(token) >= settings.PerToken) return Quota.Token;
        return _addresses.TryAdd(token, claim.Client, claim.TokenEnds, claim.Now) ? null : Quota.AddressesOfToken;
    }

    private static Share Add<T>(Dictionary<T, Share> shares, T key, TrafficLimits? limits)
        where T : notnull
    {
        ref var share = ref CollectionsMarshal.GetValueRefOrAddDefault(shares, key, out _);
        share ??= new Share(new SharedTraffic(limits));
        share.Count++;
        return share;
    }

    private static void Remove<T>(Dictionary<T, Share> shares, T key)
        where T : notnull
    {
        if (--shares[key].Count == 0) shares.Remove(key);
    }

    private void Return(in AllocationClaim claim)
    {
        _total--;
        Remove(_perAddress, claim.Client);
        Remove(_perUser, claim.User);
        if (claim.Token is { } token && --CollectionsMarshal.GetValueRefOrAddDefault(_perToken, token, out _) == 0) _perToken.Remove(token);
    }

    /// <summary>The live allocations of a user or of a client address.</summary>
    internal sealed class Share(SharedTraffic traffic)
    {
        public SharedTraffic Traffic => traffic;

        public int Count { get; set; }
    }

    /// <summary>The place of one allocation in the quotas.</summary>
    internal sealed class Lease(AllocationQuotas quotas, AllocationClaim claim, Share user, Share address) : IDisposable
    {
        private bool _returned;

        /// <summary>Meters the allocations of the user together; null for a password, which the operator has given out.</summary>
        public SharedTraffic? UserTraffic => claim.Token is null ? null : user.Traffic;

        /// <summary>Meters the allocations of the client address together, except those under a password.</summary>
        public SharedTraffic? AddressTraffic => claim.Token is null ? null : address.Traffic;

        /// <summary>Runs when the place is given back.</summary>
        public Action? OnReturned { get; set; }

        public void Dispose()
        {
            lock (quotas._gate)
            {
                if (_returned) return;
                _returned = true;
                quotas.Return(claim);
            }

            OnReturned?.Invoke();
        }
    }
}
