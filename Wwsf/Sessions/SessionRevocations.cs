using StackExchange.Redis;

namespace WebRtcIms.Wwsf.Sessions;

/// <summary>
/// Writes revocations of ended sessions to Redis. TURN nodes then refuse the tokens of the session and end its allocations, and the eP-CSCF
/// ends its registrations.
/// </summary>
internal sealed partial class SessionRevocations
{
    private readonly IConnectionMultiplexer? _redis;
    private readonly RedisAvailability _availability;
    private readonly TimeProvider _time;

    public SessionRevocations(TimeProvider time, ILogger<SessionRevocations> logger, IConnectionMultiplexer? redis = null)
    {
        (_redis, _time) = (redis, time);
        _availability = new(logger, "TURN tokens of ended sessions stay valid until it does. The WWSF retries");
        if (redis is null) LogNoRedis(logger);
    }

    public bool HasRedis => _redis is not null;

    /// <summary>Revokes all tokens of the session until the last of them has expired. False if Redis does not answer.</summary>
    public async Task<bool> TryWriteAsync(string sid, DateTimeOffset endedAt)
    {
        if (_redis is null) return true;
        using var command = RedisCommand.Start("ZADD");
        try
        {
            await TurnRevocations.WriteAsync(
                _redis.GetDatabase(), TurnRevocations.OfSession(sid), endedAt + TokenLimits.LongestLifetime, _time.GetUtcNow());
            _availability.Answered();
            return true;
        }
        catch (Exception error) when (RedisAvailability.IsFailure(error))
        {
            command.Fail(error);
            _availability.Failed(error);
            return false;
        }
    }

    [LoggerMessage(1, LogLevel.Information,
        "ConnectionStrings:redis is not set, so the TURN tokens of an ended session stay valid until they expire")]
    private static partial void LogNoRedis(ILogger logger);
}
