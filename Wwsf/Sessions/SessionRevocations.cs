using StackExchange.Redis;

namespace WebRtcIms.Wwsf.Sessions;

/// <summary>
/// Writes revocations of ended sessions to Redis. TURN nodes then refuse the tokens of the session and end its allocations, and the eP-CSCF
/// ends its registrations.
/// </summary>
internal sealed partial class SessionRevocations
{
    // For the clocks of WAF and TURN nodes, and for a token that was on its way when the session ended.
    private static readonly TimeSpan Reserve = TimeSpan.FromMinutes(1);

    private readonly IConnectionMultiplexer? _redis;
    private readonly RedisAvailability _availability;
    private readonly TimeProvider _time;
    private readonly LongestLifetime _turnTokens = new();
    private readonly LongestLifetime _registrationTokens = new();

    public SessionRevocations(TimeProvider time, ILogger<SessionRevocations> logger, IConnectionMultiplexer? redis = null)
    {
        (_redis, _time) = (redis, time);
        _availability = new(logger, "TURN tokens of ended sessions stay valid until it does. The WWSF retries");
        if (redis is null) LogNoRedis(logger);
    }

    public bool HasRedis => _redis is not null;

    private TimeSpan TokenLifetime
    {
        get
        {
            var (turn, registration) = (_turnTokens.Value, _registrationTokens.Value);
            return turn > registration ? turn : registration;
        }
    }

    /// <summary>
    /// A token for TURN with this lifetime was issued. Revocations are kept for the longest one since the start, because strangers can end
    /// many sessions, and TURN nodes and eP-CSCF keep all revocations in memory. Before the first token of each kind they are kept for a
    /// day: another replica may have issued tokens of that kind, or this one before its restart.
    /// </summary>
    public void SetTurnTokenIssued(TimeSpan lifetime) => _turnTokens.Add(lifetime);

    /// <summary>A token for the eP-CSCF with this lifetime was issued. It may live longer than one for TURN.</summary>
    public void SetRegistrationTokenIssued(TimeSpan lifetime) => _registrationTokens.Add(lifetime);

    /// <summary>When all tokens have expired that a session had which ended at this time.</summary>
    public DateTimeOffset EndOfTokens(DateTimeOffset endedAt) => endedAt + TokenLifetime + Reserve;

    /// <summary>Revokes all tokens of the session until the last of them has expired. False if Redis does not answer.</summary>
    public async Task<bool> TryWriteAsync(string sid, DateTimeOffset endedAt)
    {
        var (until, now) = (EndOfTokens(endedAt), _time.GetUtcNow());
        if (_redis is null || until <= now) return true;
        using var command = RedisCommand.Start("ZADD");
        try
        {
            await TurnRevocations.WriteAsync(_redis.GetDatabase(), TurnRevocations.OfSession(sid), until, now);
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
