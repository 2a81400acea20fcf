using System.Runtime.InteropServices;
using WebRtcIms.Stun.Messages;
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

/// <summary>
/// Live allocations of this node, counted in all, per client address (an IPv6 one with its whole /64), per token and per user (RFC 8656
/// §21.3.1). A place is taken before an allocation is made and given back exactly once.
/// </summary>
internal sealed class AllocationQuotas(QuotaSettings settings)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<InternetAddress, int> _perAddress = [];
    private readonly Dictionary<TokenName, int> _perToken = [];
    private readonly Dictionary<string, int> _perUser = [];
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
                (Quota.User, (double)_perUser.Values.DefaultIfEmpty().Max() / settings.PerUser),
            ];
        }
    }

    /// <summary>Takes a place. Null when a quota is used up.</summary>
    public Lease? TryTake(InternetAddress client, TokenName? token)
    {
        client = ClientNetwork.Of(client);
        lock (_gate)
        {
            if (_total >= settings.Total) return Refuse(Quota.Total);
            if (Count(_perAddress, client) >= settings.PerClientAddress) return Refuse(Quota.ClientAddress);
            if (token is not null && Count(_perToken, token) >= settings.PerToken) return Refuse(Quota.Token);
            _total++;
            Add(_perAddress, client, 1);
            if (token is not null) Add(_perToken, token, 1);
            return new Lease(this, client, token);
        }
    }

    private Lease? Refuse(Quota quota)
    {
        CountRefusal(quota);
        return null;
    }

    private static int Count<T>(Dictionary<T, int> counts, T key)
        where T : notnull => counts.GetValueOrDefault(key);

    private static void Add<T>(Dictionary<T, int> counts, T key, int change)
        where T : notnull
    {
        ref var count = ref CollectionsMarshal.GetValueRefOrAddDefault(counts, key, out _);
        count += change;
        if (count == 0) counts.Remove(key);
    }

    /// <summary>The place of one allocation in the quotas.</summary>
    internal sealed class Lease(AllocationQuotas quotas, InternetAddress client, TokenName? token) : IDisposable
    {
        private string? _user;
        private bool _returned;

        /// <summary>Runs when the place is given back.</summary>
        public Action? OnReturned { get; set; }

        /// <summary>Counts the allocation for the user whom the grant names. False when the quota of that user is used up.</summary>
        public bool TryTakeFor(string user)
        {
            lock (quotas._gate)
            {
                if (Count(quotas._perUser, user) >= quotas.Settings.PerUser)
                {
                    quotas.CountRefusal(Quota.User);
                    return false;
                }

                _user = user;
                Add(quotas._perUser, user, 1);
                return true;
            }
        }

        public void Dispose()
        {
            lock (quotas._gate)
            {
                if (_returned) return;
                _returned = true;
                quotas._total--;
                Add(quotas._perAddress, client, -1);
                if (token is not null) Add(quotas._perToken, token, -1);
                if (_user is not null) Add(quotas._perUser, _user, -1);
            }

            OnReturned?.Invoke();
        }
    }

    private QuotaSettings Settings => settings;
}
