using System.Runtime.InteropServices;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Settings;

namespace WebRtcIms.Turn.Admission;

/// <summary>
/// Allocates with a token in a minute, for each token and each client address. Limits on live allocations do not bound clients that
/// allocate and delete in a row, and the caches of this node and of the fleet keep an entry for each request until its token ends.
/// </summary>
internal sealed class AllocationRates(QuotaSettings settings)
{
    private static readonly TimeSpan Window = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<TokenName, int> _perToken = [];
    private readonly Dictionary<InternetAddress, int> _perAddress = [];
    private DateTimeOffset _windowEnds;

    /// <summary>Counts a request. Returns the limit that it exceeds; null if there is none.</summary>
    public Quota? Count(TokenName token, InternetAddress client, DateTimeOffset now)
    {
        lock (_gate)
        {
            if (now >= _windowEnds) Begin(now);
            ref var ofToken = ref CollectionsMarshal.GetValueRefOrAddDefault(_perToken, token, out _);
            if (ofToken >= settings.AllocatesPerMinuteOfToken) return Quota.RateOfToken;
            ref var ofAddress = ref CollectionsMarshal.GetValueRefOrAddDefault(_perAddress, client, out _);
            if (ofAddress >= settings.AllocatesPerMinuteOfClientAddress) return Quota.RateOfClientAddress;
            ofToken++;
            ofAddress++;
            return null;
        }
    }

    private void Begin(DateTimeOffset now)
    {
        _perToken.Clear();
        _perAddress.Clear();
        _windowEnds = now + Window;
    }
}
