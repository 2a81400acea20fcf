using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.EpCscf.Connections;
using WebRtcIms.EpCscf.Registration;

namespace WebRtcIms.EpCscf.Server;

/// <summary>Ends the sessions and the registrations whose tokens are revoked at the WAF.</summary>
internal sealed partial class RevocationFeed(
    Registrar registrar, RevokedTokens tokens, Flows flows, IConnectionMultiplexer redis, TimeProvider time,
    ILogger<RevocationFeed> logger) : BackgroundService
{
    private readonly ConcurrentDictionary<string, DateTimeOffset> _ended = new();

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        TurnRevocations.FollowAsync(redis, EndAsync, time, stoppingToken);

    private Task EndAsync(string name, DateTimeOffset until) =>
        TurnRevocations.SessionOf(name) is { } session ? EndSessionAsync(session, until) : EndRegistrationsAsync(name, until);

    // Each replica ends those of its own connections.
    private async Task EndRegistrationsAsync(string name, DateTimeOffset until)
    {
        if (!tokens.Add(name, until)) return;
        foreach (var registration in flows.Registrations.Where(registration => tokens.Cover(registration.Token)))
        {
            try
            {
                await registrar.EndAsync(registration.Binding);
                LogTokenRevoked();
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                LogFailure(error);
            }
        }
    }

    private async Task EndSessionAsync(string session, DateTimeOffset until)
    {
        var now = time.GetUtcNow();
        if (until <= now || !_ended.TryAdd(session, until)) return;
        foreach (var old in _ended.Where(entry => entry.Value <= now)) _ended.TryRemove(old);
        try
        {
            await registrar.EndRevokedSessionAsync(session, until);
            LogEnded();
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            // The next poll tries again.
            _ended.TryRemove(session, out _);
            LogFailure(error);
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "An operator revoked a session: its registrations have ended")]
    private partial void LogEnded();

    [LoggerMessage(3, LogLevel.Information, "A registration has ended, because its token was revoked")]
    private partial void LogTokenRevoked();

    [LoggerMessage(2, LogLevel.Error, "A revoked session could not be ended; the next attempt is in seconds")]
    private partial void LogFailure(Exception error);
}
