using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using StackExchange.Redis;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Authorization;
using WebRtcIms.Turn.Engine;

namespace WebRtcIms.Turn.Caching;

/// <summary>What the authorization server left for us when it made a token.</summary>
internal sealed record Grant(string? ClientId, string? Pseudonym, string? Traceparent);

/// <summary>What the fleet knows about a token, after this Allocate has been counted.</summary>
internal sealed record TokenAnswer(DateTimeOffset AskedAt, DateTimeOffset AnsweredAt)
{
    /// <summary>False when Redis did not answer in time; all else is then unknown.</summary>
    public bool IsAvailable { get; init; }

    /// <summary>The Allocate was counted, and must be discounted at its end.</summary>
    public bool IsCounted { get; init; }

    public bool IsReplay { get; init; }

    public bool IsRevoked { get; init; }

    public long LiveAllocations { get; init; }

    public long ClientAddresses { get; init; }

    public Grant? Grant { get; init; }

    /// <summary>Adds the round trip as a child span, with the times at which it happened.</summary>
    public void Record(Activity? parent)
    {
        if (parent is null) return;
        using var activity = RedisExtensions.StartCommand("BATCH", parent.Context, AskedAt);
        if (!IsAvailable) activity?.SetStatus(ActivityStatusCode.Error, "Redis did not answer in time");
        activity?.SetEndTime(AnsweredAt.UtcDateTime);
    }
}

/// <summary>
/// The lifetime and replay caches that all nodes share, in one round trip to Redis:
/// <c>turn:grant:{kid}:{tid}</c> read, <c>turn:replay:{kid}:{tid}:{transaction}</c> set once,
/// <c>turn:life:{kid}:{tid}</c> counted. Keys hold no user name and no secret: kid and nonce of a token are public.
/// </summary>
internal sealed partial class TokenCache(IConnectionMultiplexer redis, TimeProvider clock, ILogger<TokenCache> logger)
{
    private static readonly TimeSpan Budget = TimeSpan.FromMilliseconds(250);

    // After a time-out the next Allocates do not wait again for a Redis that hangs.
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    private long _pausedUntil;
    private int _isOut;

    public async Task<TokenAnswer> RegisterAsync(TokenName token, PendingAllocation pending)
    {
        var asked = clock.GetUtcNow();
        if (asked.Ticks < Interlocked.Read(ref _pausedUntil)) return new TokenAnswer(asked, asked);
        var asking = AskAsync(token, pending.TransactionId, pending.FiveTuple, pending.Proof.Credential.RemainingSeconds(asked), asked);
        try
        {
            var answer = await asking.WaitAsync(Budget, clock).ConfigureAwait(false);
            if (Interlocked.Exchange(ref _isOut, 0) == 1) LogBack();
            return answer;
        }
        catch (Exception error) when (error is RedisException or TimeoutException or JsonException or FormatException)
        {
            if (error is TimeoutException)
            {
                Interlocked.Exchange(ref _pausedUntil, (clock.GetUtcNow() + Pause).Ticks);
                _ = WithdrawWhenAnsweredAsync(token, asking);
            }

            if (Interlocked.Exchange(ref _isOut, 1) == 0) LogOut(error.GetType().Name);
            return new TokenAnswer(asked, clock.GetUtcNow());
        }
    }

    /// <summary>An allocation under the token has ended, or was not made after all.</summary>
    public void Withdraw(TokenName token, TokenAnswer answer)
    {
        if (!answer.IsCounted) return;
        try
        {
            redis.GetDatabase().HashDecrement(LifeKey(token), "live", 1, CommandFlags.FireAndForget);
        }
        catch (RedisException)
        {
            // The key has a lifetime of its own: a count that is lost is forgotten with the token.
        }
    }

    /// <summary>
    /// Asks once about a token that does not exist, with keys that live for a second: the first Allocate of a fresh process would
    /// spend its budget on compiling.
    /// </summary>
    public async Task WarmUpAsync()
    {
        var token = new TokenName("warm-up", Guid.NewGuid().ToString("N"));
        try
        {
            Withdraw(token, await AskAsync(token, default, default, 1, clock.GetUtcNow()).ConfigureAwait(false));
        }
        catch (RedisException)
        {
            // It is not there; the first Allocate will say so.
        }
    }

    // An Allocate that did not wait was not refused: whatever was counted for it in the end is taken back, for its end will not be.
    private async Task WithdrawWhenAnsweredAsync(TokenName token, Task<TokenAnswer> asking)
    {
        try
        {
            Withdraw(token, await asking.ConfigureAwait(false));
        }
        catch (Exception error) when (error is RedisException or TimeoutException or JsonException or FormatException)
        {
            // Nothing was counted.
        }
    }

    private async Task<TokenAnswer> AskAsync(TokenName token, TransactionId transaction, FiveTuple fiveTuple, uint seconds, DateTimeOffset asked)
    {
        var lifetime = TimeSpan.FromSeconds(seconds);
        var flow = Hash(fiveTuple.ToString());
        RedisKey replayKey = $"turn:replay:{token.KeyId}:{token.TokenId}:{transaction}";
        RedisKey lifeKey = LifeKey(token);
        RedisKey addressesKey = $"{lifeKey}:addresses";

        var batch = redis.GetDatabase().CreateBatch();
        var grant = batch.StringGetAsync($"turn:grant:{token.KeyId}:{token.TokenId}");
        var revokedToken = batch.KeyExistsAsync($"turn:revoked:{token.KeyId}:{token.TokenId}");
        var revokedKey = batch.KeyExistsAsync($"turn:revoked:{token.KeyId}");
        var first = batch.StringSetAsync(replayKey, flow, lifetime, When.NotExists);
        var firstFlow = batch.StringGetAsync(replayKey);
        var live = batch.HashIncrementAsync(lifeKey, "live");
        var firstUse = batch.HashSetAsync(lifeKey, "first_use", asked.ToUnixTimeSeconds(), When.NotExists);
        var lifeExpiry = batch.KeyExpireAsync(lifeKey, lifetime);
        var added = batch.SetAddAsync(addressesKey, Hash(ClientNetwork.Of(fiveTuple.Client.Address).ToString()));
        var addresses = batch.SetLengthAsync(addressesKey);
        var addressesExpiry = batch.KeyExpireAsync(addressesKey, lifetime);
        batch.Execute();
        await Task.WhenAll(grant, revokedToken, revokedKey, first, firstFlow, live, firstUse, lifeExpiry, added, addresses, addressesExpiry)
            .ConfigureAwait(false);

        return new TokenAnswer(asked, clock.GetUtcNow())
        {
            IsAvailable = true,
            IsCounted = true,
            IsReplay = !await first && await firstFlow != flow,
            IsRevoked = await revokedToken || await revokedKey,
            LiveAllocations = await live,
            ClientAddresses = await addresses,
            Grant = (await grant).HasValue ? JsonSerializer.Deserialize<Grant>((string)(await grant)!, Json) : null,
        };
    }

    private static string LifeKey(TokenName token) => $"turn:life:{token.KeyId}:{token.TokenId}";

    // A client's address is personal data, and the caches need only to tell one from another.
    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text)).AsSpan(0, 12));

    [LoggerMessage(1, LogLevel.Warning, "Redis does not answer ({Error}); allocations go on with the caches of this node")]
    private partial void LogOut(string error);

    [LoggerMessage(2, LogLevel.Information, "Redis answers again")]
    private partial void LogBack();
}
