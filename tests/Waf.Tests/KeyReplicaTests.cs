using System.Text;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using StackExchange.Redis;
using WebRtcIms.Contracts;
using WebRtcIms.Tests.Common;
using WebRtcIms.Waf.Rings;
using WebRtcIms.Waf.Stores;

namespace WebRtcIms.Waf.Tests;

/// <summary>Two WAFs on one PostgreSQL, with one folder of Data Protection keys, and with Redis or without.</summary>
public sealed class KeyReplicaTests : IDisposable
{
    private static readonly TimeSpan Lead = TimeSpan.FromMinutes(10);

    private readonly FakeTimeProvider _time = new(RingApp.Start);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("waf-tests-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task ReplicasThatStartAtTheSameTime_HaveTheSameKeys()
    {
        await using var postgres = await PostgresServer.StartAsync();
        var replicas = Enumerable.Range(0, 3).Select(_ => Replica(postgres)).ToList();

        await Task.WhenAll(replicas.Select(replica => Task.Run(() => replica.Services)));

        Assert.Equal(2, (await replicas[0].AuditAsync()).Count);
        foreach (var replica in replicas) await replica.RefreshAsync();
        Assert.Single(replicas.Select(replica => replica.Deliver().ToJson()).Distinct());
        var token = replicas[0].Issue();
        Assert.All(replicas, replica => Assert.Equal("k1.1", replica.Identify(token)?.Kid));
        foreach (var replica in replicas) await replica.DisposeAsync();
    }

    [Fact]
    public async Task ReplicasThatRotateInTheSameInstant_RotateOnce()
    {
        await using var postgres = await PostgresServer.StartAsync();
        await using var one = Replica(postgres);
        await using var other = Replica(postgres);
        for (var round = 2; round < 12; round++)
        {
            await one.RefreshAsync();
            await other.RefreshAsync();
            _time.Pass(Lead);

            var kids = await Task.WhenAll(Task.Run(one.RotateAsync), Task.Run(other.RotateAsync));

            Assert.Equal([$"k1.{round}", $"k1.{round}"], kids);
            Assert.Equal($"k1.{round}", one.Issue().Kid);
            Assert.Equal($"k1.{round}", other.Issue().Kid);
        }

        var audit = await one.AuditAsync();
        Assert.Equal(10, audit.Count(entry => entry.Contains("key.rotated", StringComparison.Ordinal)));
        Assert.DoesNotContain(audit, entry => entry.Contains("key.advanced", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ScheduledChange_IsMadeByBothReplicas_AndWrittenOnce()
    {
        await using var postgres = await PostgresServer.StartAsync();
        await using var one = Replica(postgres);
        await using var other = Replica(postgres);
        await Task.WhenAll(one.RefreshAsync(), other.RefreshAsync());
        for (var day = 2; day < 6; day++)
        {
            _time.Pass(TimeSpan.FromDays(1));
            Assert.Equal(($"k1.{day}", $"k1.{day}"), (one.Issue().Kid, other.Issue().Kid));
            await Task.WhenAll(new[] { one, other }.Select(replica => Task.Run(() => replica.RefreshAsync())));
        }

        Assert.Equal(4, (await one.AuditAsync()).Count(entry => entry.Contains("key.rotated", StringComparison.Ordinal)));
        Assert.Equal(one.Deliver().ToJson(), other.Deliver().ToJson());
    }

    [Fact]
    public async Task RevocationsAndRotationsInTheSameInstant_LeaveACurrentAndANextKey()
    {
        await using var postgres = await PostgresServer.StartAsync();
        await using var one = Replica(postgres);
        await using var other = Replica(postgres);
        for (var round = 0; round < 10; round++)
        {
            await Task.WhenAll(one.RefreshAsync(), other.RefreshAsync());
            if (round % 2 == 0) _time.Pass(Lead);
            var current = one.Issue().Kid;

            await Task.WhenAll(Task.Run(() => one.RevokeAsync(current)), Task.Run(other.RotateAsync));
            await Task.WhenAll(one.RefreshAsync(), other.RefreshAsync());

            Assert.Equal(one.Deliver().ToJson(), other.Deliver().ToJson());
            Assert.NotEqual(current, one.Issue().Kid);
            Assert.Equal(
                [KeyState.Current, KeyState.Next], one.Ring.GetAlive(one.Now).Select(key => key.StateAt(one.Now)).TakeLast(2));
        }
    }

    /// <summary>The rotation would move the new current key back into the future, and leave none.</summary>
    [Fact]
    public async Task RotationThatReadTheRing_BeforeARevocationWasWritten_IsNotWritten()
    {
        await using var app = RingApp.Create(_time);
        await app.RefreshAsync();
        await using var one = app.Services.CreateAsyncScope();
        await using var other = app.Services.CreateAsyncScope();
        var (revocation, revoked) = await ReadAsync(app, one);
        var (rotation, rotated) = await ReadAsync(app, other);
        revocation.Revoke("k1.1");
        rotation.Rotate("k1.2");

        await revoked.SaveChangesAsync(TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<DbUpdateConcurrencyException>(() => rotated.SaveChangesAsync(TestContext.Current.CancellationToken));
    }

    /// <summary>The replica writes the rotation, and is killed before it publishes anything.</summary>
    [Fact]
    public async Task ReplicaKilledAfterItRotated_LosesNothing()
    {
        await using var postgres = await PostgresServer.StartAsync();
        await using var one = Replica(postgres);
        await using var other = Replica(postgres);
        await Task.WhenAll(one.RefreshAsync(), other.RefreshAsync());
        var token = one.Issue();
        _time.Pass(Lead);
        await WriteOnlyAsync(one, change => change.Rotate("k1.2"));
        await one.DisposeAsync();

        Assert.Equal("k1.1", other.Issue().Kid);
        await other.RefreshAsync();

        Assert.Equal("k1.2", other.Issue().Kid);
        Assert.Equal("k1.1", other.Identify(token)?.Kid);
        Assert.Equal(["k1.1 Retired", "k1.2 Current", "k1.3 Next"], other.States());
    }

    /// <summary>The replica writes the revocation, and is killed before it writes to Redis.</summary>
    [Fact]
    public async Task ReplicaKilledAfterItRevoked_TurnServersAreNotifiedByAnother()
    {
        await using var postgres = await PostgresServer.StartAsync();
        await using var redis = await RedisServer.StartAsync();
        await using var one = Replica(postgres, redis);
        await using var other = Replica(postgres, redis);
        await Task.WhenAll(one.RefreshAsync(), other.RefreshAsync());
        await WriteOnlyAsync(one, change => change.Revoke("k1.1"));
        await one.DisposeAsync();
        await using var connection = await redis.ConnectAsync();
        Assert.Null(await connection.GetDatabase().SortedSetScoreAsync(TurnRevocations.Key, "key:k1.1"));

        await other.RefreshAsync();

        Assert.Equal(
            (RingApp.Start + TokenLimits.RevokedKeyRetention).ToUnixTimeSeconds(),
            await connection.GetDatabase().SortedSetScoreAsync(TurnRevocations.Key, "key:k1.1"));
    }

    [Fact]
    public async Task RotationAndRevocation_ReachOtherReplicasWithinASecond_AndTurnServersByTheirName()
    {
        await using var postgres = await PostgresServer.StartAsync();
        await using var redis = await RedisServer.StartAsync();
        await using var one = Replica(postgres, redis);
        await using var other = Replica(postgres, redis);
        await Task.WhenAll(one.RefreshAsync(), other.RefreshAsync());
        await using var connection = await redis.ConnectAsync();
        var messages = System.Threading.Channels.Channel.CreateUnbounded<string>();
        foreach (var channel in (RedisChannel[])[LongTermKeys.Channel, TurnRevocations.Channel])
            await connection.GetSubscriber().SubscribeAsync(channel, (_, message) => messages.Writer.TryWrite(message!));
        await UntilSubscribedAsync(connection, subscribers: 3);
        _time.Pass(Lead);

        await one.RotateAsync();
        await Eventually.IsTrueAsync(() => other.Issue().Kid == "k1.2");
        Assert.Equal(WafApp.TurnServer, await NextAsync());

        await one.RevokeAsync("k1.2");
        await Eventually.IsTrueAsync(() => other.Issue().Kid == "k1.3");
        Assert.Equal(WafApp.TurnServer, await NextAsync());
        var until = (one.Now + TokenLimits.RevokedKeyRetention).ToUnixTimeSeconds();
        Assert.Equal($"{until} key:k1.2", await NextAsync());

        async Task<string> NextAsync()
        {
            var message = await messages.Reader.ReadAsync(TestContext.Current.CancellationToken);
            return message == "nowhere" ? await NextAsync() : message;
        }
    }

    [Fact]
    [Requirement("ABUSE-73")]
    public async Task RevocationWhileRedisIsAway_IsReported_AndSentWhenRedisIsBack()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var app = RingApp.Create(_time).With("ConnectionStrings:redis", redis.Address);
        await app.RefreshAsync();
        await redis.StopAsync();

        await Assert.ThrowsAnyAsync<RedisException>(() => app.RevokeAsync("k1.1"));
        Assert.Equal("k1.2", app.Issue().Kid);

        await redis.RestartAsync();
        await using var connection = await redis.ConnectAsync();
        await Eventually.IsTrueAsync(async () =>
        {
            await app.RefreshAsync();
            return await connection.GetDatabase().SortedSetScoreAsync(TurnRevocations.Key, "key:k1.1") is not null;
        });
    }

    [Fact]
    public void DataProtectionKeysOfTwoReplicas_ThatBeganAtTheSameTime_ServeBoth()
    {
        var (one, other) = (new KeyProtection(() => _folder), new KeyProtection(() => _folder));
        var row = Row(one, "turn/a", "a.1");
        Assert.Equal("K of a.1", Encoding.UTF8.GetString(other.Unprotect(row)));

        // A replica whose Data Protection does not know this key, because it read the folder before.
        foreach (var file in _folder.EnumerateFiles()) file.MoveTo(file.FullName + ".hidden");
        var late = new KeyProtection(() => _folder);
        Row(late, "turn/b", "b.1");
        foreach (var file in _folder.EnumerateFiles("*.hidden")) file.MoveTo(file.FullName[..^".hidden".Length]);
        Assert.Equal("K of a.1", Encoding.UTF8.GetString(late.Unprotect(row)));
    }

    [Theory]
    [InlineData("turn/b", "a.1")]
    [InlineData("turn/a", "a.2")]
    public void KeyMovedToAnotherRow_CannotBeDecrypted(string ring, string kid)
    {
        var protection = new KeyProtection(() => _folder);
        var row = Row(protection, "turn/a", "a.1");
        var moved = Row(protection, ring, kid);
        moved.ProtectedKey = row.ProtectedKey;

        Assert.Throws<KeyProtectionException>(() => protection.Unprotect(moved));
    }

    private static StoredKey Row(KeyProtection protection, string ring, string kid) => new()
    {
        Ring = ring,
        Number = 1,
        Kid = kid,
        Algorithm = "A256GCM",
        ProtectedKey = protection.Protect(ring, kid, Encoding.UTF8.GetBytes($"K of {kid}")),
        CreatedAt = 0,
        CurrentAt = 0,
        TokenLifetime = 600,
    };

    private static async Task WriteOnlyAsync<T>(WafApp app, Func<RingChange, T> change) =>
        await app.Services.GetRequiredService<KeyStore>().ChangeAsync(
            app.Ring.Settings, "operator", change, TestContext.Current.CancellationToken);

    private static async Task<(RingChange Change, WafDatabase Store)> ReadAsync(WafApp app, AsyncServiceScope scope)
    {
        var store = scope.ServiceProvider.GetRequiredService<WafDatabase>();
        var rows = await store.Keys.OrderBy(key => key.Number).ToListAsync(TestContext.Current.CancellationToken);
        var protection = app.Services.GetRequiredService<KeyProtection>();
        return (new RingChange(store, app.Ring.Settings, rows, protection, app.Now.ToUnixTimeSeconds(), "operator"), store);
    }

    private static Task UntilSubscribedAsync(ConnectionMultiplexer connection, int subscribers) => Eventually.IsTrueAsync(
        async () => await connection.GetSubscriber().PublishAsync(LongTermKeys.Channel, "nowhere") >= subscribers);

    private WafApp Replica(PostgresServer postgres, RedisServer? redis = null)
    {
        var app = RingApp.Create(_time).With("ConnectionStrings:waf", postgres.ConnectionString("waf"))
            .With("Waf:KeyDirectory", _folder.FullName);
        return redis is null ? app : app.With("ConnectionStrings:redis", redis.Address);
    }
}
