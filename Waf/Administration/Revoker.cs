using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Waf.Telemetry;

namespace WebRtcIms.Waf.Administration;

/// <summary>Sends revocations of operators to the TURN servers and the eP-CSCF, which need Redis for it.</summary>
internal sealed class Revoker(WafTelemetry telemetry, TimeProvider time, IConnectionMultiplexer? redis = null)
{
    public bool HasRedis => redis is not null;

    /// <summary>False when Redis does not answer.</summary>
    public async Task<bool> TryRevokeAsync(string name, TimeSpan retention)
    {
        var now = time.GetUtcNow();
        try
        {
            await TurnRevocations.WriteAsync(redis!.GetDatabase(), name, now + retention, now);
        }
        catch (Exception error) when (RedisAvailability.IsFailure(error))
        {
            return false;
        }

        telemetry.Revoked(name.Split(':')[0]);
        return true;
    }
}
