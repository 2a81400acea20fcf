using System.Data.Common;
using Microsoft.EntityFrameworkCore;
using WebRtcIms.Wwsf.Settings;

namespace WebRtcIms.Wwsf.Waf.Registration;

/// <summary>
/// Registers this WWSF at the WAF on the first start (TS 33.203 X.5.3.2, prerequisite a), once for all replicas on one store. It registers
/// again when the WAF does not know the client any more.
/// </summary>
internal sealed partial class ClientRegistration(
    ClientState state, ClientStore store, IServiceScopeFactory scopes, WwsfSettings settings, TimeProvider time,
    ILogger<ClientRegistration> logger) : BackgroundService
{
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestWait = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan LongestRetryAfter = TimeSpan.FromMinutes(10);

    // The WAF keeps the previous key until the next rotation, for replicas that still sign with it.
    private static readonly TimeSpan KeyLifetime = TimeSpan.FromDays(30);
    private static readonly TimeSpan WaitAfterFailedRotation = TimeSpan.FromHours(1);

    // Other replicas of the WAF learn of a new key a moment later.
    private static readonly TimeSpan WaitBeforeUse = TimeSpan.FromSeconds(5);

    private DateTimeOffset _nextRotation;

    // The WAF does not accept the initial access token any more, so it is not sent again.
    private Failure? _end;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        WafCredentials? refused = null;
        while (true)
        {
            var client = await UntilRegisteredAsync(refused, stoppingToken);
            refused = await NextRefusalAsync(Max(client.KeyCreatedAt + KeyLifetime, _nextRotation), stoppingToken);
            if (refused is null) await RotateKeyAsync(stoppingToken);
        }
    }

    // Null when the key is due.
    private async Task<WafCredentials?> NextRefusalAsync(DateTimeOffset due, CancellationToken cancellationToken)
    {
        // A clock that was set back must not make the wait too long for a timer.
        using var timer = new CancellationTokenSource(Min(Max(due - time.GetUtcNow(), TimeSpan.Zero), KeyLifetime), time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        try
        {
            return await state.NextRefusalAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private async Task<RegisteredClient> UntilRegisteredAsync(WafCredentials? refused, CancellationToken cancellationToken)
    {
        var (reason, backoff) = ("", ShortestWait);
        while (true)
        {
            var (client, failure) = await TryAsync(refused, cancellationToken);
            if (client is not null)
            {
                LogRegistered(client.ClientId);
                state.Set(client.Credentials);
                return client;
            }

            if (failure!.Reason != reason) Log(failure);
            state.Fail(failure);
            reason = failure.Reason;
            if (failure.NeedsOperator) backoff = LongestWait;
            await Task.Delay(Max(backoff, Min(failure.RetryAfter ?? default, LongestRetryAfter)), time, cancellationToken);
            backoff = Min(2 * backoff, LongestWait);
        }
    }

    private Task<(RegisteredClient? Client, Failure? Failure)> TryAsync(WafCredentials? refused, CancellationToken cancellationToken) =>
        ReportStoreAsync(async () =>
        {
            if (await FindAsync() is { } stored) return (stored, null);
            await using var _ = await store.LockAsync(cancellationToken);
            // Another replica may have registered meanwhile.
            if (await FindAsync() is { } registered) return (registered, null);
            await using var scope = scopes.CreateAsyncScope();
            var waf = scope.ServiceProvider.GetRequiredService<RegistrationClient>();
            var (issuer, failure) = await waf.DiscoverAsync(cancellationToken);
            if (issuer is null) return (null, failure);
            return await store.FindAsync(cancellationToken) is { } client
                ? await CheckAsync(waf, client, issuer, cancellationToken)
                : await RegisterAsync(waf, issuer);

            async Task<RegisteredClient?> FindAsync() =>
                await store.FindAsync(cancellationToken) is { } client && (refused is null || !client.Has(refused)) ? client : null;
        });

    private static async Task<(RegisteredClient? Client, Failure? Failure)> ReportStoreAsync(
        Func<Task<(RegisteredClient? Client, Failure? Failure)>> use)
    {
        try
        {
            return await use();
        }
        catch (Exception error) when (error is CryptographicException or JsonException)
        {
            return (null, new(
                "the registration in the store cannot be decrypted with the key ring beside the store. Restore the key ring, or delete the "
                + "row of the table WafClients, so that the WWSF registers again", NeedsOperator: true));
        }
        catch (Exception error) when (error is DbException or DbUpdateException or IOException || error.InnerException is DbException)
        {
            return (null, new("the store does not answer"));
        }
    }

    // The WAF refused the client. That may have another reason than that it does not know it.
    private async Task<(RegisteredClient? Client, Failure? Failure)> CheckAsync(
        RegistrationClient waf, RegisteredClient client, string issuer, CancellationToken cancellationToken)
    {
        if (issuer != client.Issuer)
        {
            var renamed = client with { Issuer = issuer };
            await store.SaveAsync(renamed, cancellationToken);
            return (renamed, null);
        }

        var (isKnown, failure) = await waf.IsKnownAsync(client, cancellationToken);
        if (failure is not null) return (null, failure);
        if (isKnown)
        {
            LogKnown(client.ClientId);
            return (client, null);
        }

        LogUnknown(client.ClientId);
        return await RegisterAsync(waf, issuer);
    }

    // A registration that has begun is not cancelled: it would cost a use of the token.
    private async Task<(RegisteredClient? Client, Failure? Failure)> RegisterAsync(RegistrationClient waf, string issuer)
    {
        if (_end is not null) return (null, _end);
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var token = settings.Waf.InitialAccessToken!.Value.Reveal();
        var (registered, failure) = await waf.RegisterAsync(token, WafSigning.Jwks(key), CancellationToken.None);
        if (registered is null)
        {
            if (failure!.NeedsOperator) _end = failure;
            return (null, failure);
        }

        var client = new RegisteredClient(registered.ClientId, issuer, registered.AccessToken, key, time.GetUtcNow());
        await store.SaveAsync(client, CancellationToken.None);
        return (client, null);
    }

    // Not cancelled either: the store must have the new registration access token.
    private async Task RotateKeyAsync(CancellationToken cancellationToken)
    {
        var (_, failure) = await ReportStoreAsync(async () =>
        {
            await using var _ = await store.LockAsync(cancellationToken);
            var now = time.GetUtcNow();
            // Another replica may have done it.
            if (await store.FindAsync(cancellationToken) is not { } client || now < client.KeyCreatedAt + KeyLifetime) return (null, null);
            await using var scope = scopes.CreateAsyncScope();
            var waf = scope.ServiceProvider.GetRequiredService<RegistrationClient>();
            var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var (updated, failure) = await waf.UpdateAsync(client, WafSigning.Jwks(key, client.Key), CancellationToken.None);
            if (updated is null) return (null, failure);
            var rotated = client with { AccessToken = updated.AccessToken, Key = key, KeyCreatedAt = now };
            await store.SaveAsync(rotated, CancellationToken.None);
            LogRotated(client.ClientId);
            await Task.Delay(WaitBeforeUse, time, cancellationToken);
            return (rotated, null);
        });
        if (failure is null) return;
        _nextRotation = time.GetUtcNow() + WaitAfterFailedRotation;
        LogNotRotated(failure.Reason);
    }

    private void Log(Failure failure)
    {
        if (failure.NeedsOperator) LogStopped(failure.Reason);
        else LogWaiting(failure.Reason);
    }

    private static TimeSpan Min(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private static T Max<T>(T one, T other)
        where T : IComparable<T> => one.CompareTo(other) > 0 ? one : other;

    [LoggerMessage(1, LogLevel.Information, "This WWSF is the client {ClientId} of the WAF.")]
    private partial void LogRegistered(string clientId);

    [LoggerMessage(2, LogLevel.Warning, "This WWSF is not registered at the WAF, and tries again: {Reason}.")]
    private partial void LogWaiting(string reason);

    [LoggerMessage(3, LogLevel.Error, "This WWSF cannot register at the WAF: {Reason}.")]
    private partial void LogStopped(string reason);

    [LoggerMessage(4, LogLevel.Warning, "The WAF does not know the client {ClientId} any more. This WWSF registers again.")]
    private partial void LogUnknown(string clientId);

    [LoggerMessage(6, LogLevel.Information, "The client {ClientId} has a new key at the WAF.")]
    private partial void LogRotated(string clientId);

    [LoggerMessage(7, LogLevel.Warning, "This WWSF keeps its key at the WAF, and tries again in an hour: {Reason}.")]
    private partial void LogNotRotated(string reason);

    [LoggerMessage(
        5, LogLevel.Error, "The WAF knows the client {ClientId}, but refuses what it signs. Compare the clocks of both machines.")]
    private partial void LogKnown(string clientId);
}
