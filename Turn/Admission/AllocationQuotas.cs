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
    private readonly Dictionary<InternetAddress, int> _perAddress = [];
    private readonly Dictionary<TokenName, int> _perToken = [];
    private readonly Dictionary<string, (int Count, UserTraffic Traffic)> _perUser = [];
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
                (Quota.ClientAddress, (double)_perAddress.Values.DefaultIfEmpty().Max() / settings.PerClientAddress),
                (Quota.Token, (double)_perToken.Values.DefaultIfEmpty().Max() / settings.PerToken),
                (Quota.User, (double)_perUser.Values.Select(user => user.Count).DefaultIfEmpty().Max() / settings.PerUser),
            ];
        }
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
            Add(_perAddress, claim.Client, 1);
            if (claim.Token is { } token) Add(_perToken, token, 1);
            var user = _perUser.GetValueOrDefault(claim.User, (Count: 0, Traffic: new UserTraffic()));
            _perUser[claim.User] = user with { Count = user.Count + 1 };
            return new Lease(this, claim, user.Traffic);
        }
    }

    // The addresses of the token are last: what another quota refuses adds none.
    private Quota? Exhausted(in AllocationClaim claim)
    {
        if (_total >= settings.Total) return Quota.Total;
        if (_perAddress.GetValueOrDefault(claim.Client) >= settings.PerClientAddress) return Quota.ClientAddress;
        if (_perUser.GetValueOrDefault(claim.User).Count >= settings.PerUser) return Quota.User;
        if (claim.Token is not { } token) return null;
        if (_perToken.GetValueOrDefault(token) >= settings.PerToken) return Quota.Token;
        return _addresses.TryAdd(token, claim.Client, claim.TokenEnds, claim.Now) ? null : Quota.AddressesOfToken;
    }

    private static void Add<T>(Dictionary<T, int> counts, T key, int change)
        where T : notnull
    {
        ref var count = ref CollectionsMarshal.GetValueRefOrAddDefault(counts, key, out _);
        count += change;
        if (count == 0) counts.Remove(key);
    }

    private void Return(in AllocationClaim claim)
    {
        _total--;
        Add(_perAddress, claim.Client, -1);
        if (claim.Token is { } token) Add(_perToken, token, -1);
        var user = _perUser[claim.User];
        if (user.Count == 1) _perUser.Remove(claim.User);
        else _perUser[claim.User] = user with { Count = user.Count - 1 };
    }

    /// <summary>The place of one allocation in the quotas.</summary>
    internal sealed class Lease(AllocationQuotas quotas, AllocationClaim claim, UserTraffic traffic) : IDisposable
    {
        private bool _returned;

        /// <summary>Meters the allocations of the user together.</summary>
        public UserTraffic Traffic => traffic;

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
