using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>What independent clients and raw packets showed (CLIENT-n in requirements.csv).</summary>
public sealed class IndependentClientTests
{
    private const string Secret = "shared by all servers";

    private static readonly byte[] Both = [2, 0, 0, 0];

    private readonly EngineFixture _fixture = new(sharedSecret: Secret);

    [Theory]
    [InlineData("~")]
    [InlineData("ab~cd")]
    [InlineData("k1~AQID")]
    [InlineData("~~:~")]
    [InlineData(" !\"#$%&'()*+,-./;<=>?@[]^_`{|}")]
    [InlineData("\u00FC\u4F60\U0001F600")]
    [Requirement("RFC8489-14.3")]
    [Requirement("CLIENT-4")]
    public void EphemeralUser_MayHaveAnyCharacterInItsName(string name)
    {
        var username = $"{_fixture.Time.Utc.ToUnixTimeSeconds() + 60}:{name}";

        Assert.True(_fixture.NewClient(StunCredential.Ephemeral(username, Secret)).Allocate().IsSuccess);
        Assert.Equal(0, _fixture.Authenticator.UnknownKeys);
    }

    [Fact]
    [Requirement("RFC8489-14.3")]
    [Requirement("CLIENT-4")]
    public void StaticUser_MayHaveTheSeparatorOfTheBrowserProfileInItsName()
    {
        var fixture = new EngineFixture();

        Assert.True(fixture.NewClient(StunCredential.Password(EngineFixture.UserWithSeparator, "secret")).Allocate().IsSuccess);
        Assert.Equal(
            StunError.Unauthenticated,
            fixture.NewClient(StunCredential.Password(EngineFixture.UserWithSeparator, "wrong")).TryAllocate()!.Error);
        Assert.Equal(0, fixture.Authenticator.UnknownKeys);
    }

    [Theory]
    [InlineData(false, StunError.None)]
    [InlineData(true, StunError.AllocationMismatch)]
    [Requirement("CLIENT-7")]
    public void AllocationOfAnEphemeralUser_OutlivesItsTime_IfTheSettingsSaySo(bool endsAllocations, StunError error)
    {
        var fixture = new EngineFixture(sharedSecret: Secret, sharedSecretEndsAllocations: endsAllocations);
        var client = fixture.NewClient(StunCredential.Ephemeral($"{fixture.Time.Utc.ToUnixTimeSeconds() + 60}:carol", Secret));
        client.Allocate();
        fixture.Advance(59);
        client.Refresh();
        fixture.Advance(2);
        fixture.Sweep();

        // The name is not good for a new allocation in either case.
        Assert.Equal(endsAllocations ? StunError.Unauthenticated : error, client.Refresh().Error);
        Assert.Equal(StunError.Unauthenticated, fixture.NewClient(client.Credential).TryAllocate()!.Error);
        client.Refresh(0);
        Assert.Equal(StunError.Unauthenticated, client.TryAllocate()!.Error);
    }

    [Fact]
    [Requirement("RFC8656-7.2-2")]
    [Requirement("CLIENT-8")]
    [Requirement("TURN-B7")]
    public void AllocateOfAnotherUser_IsAMismatch_ThoughItsTransactionMadeTheAllocation()
    {
        var client = _fixture.NewClient();
        var other = new EngineClient(_fixture, client.Flow, StunCredential.Password("bob", "secret"));
        client.Nonce = other.Nonce = client.Challenge().Challenge.Nonce;
        var transaction = StunRequest.NewTransaction();

        Assert.True(Allocate(client).IsSuccess);
        Assert.Equal(StunError.AllocationMismatch, Allocate(other).Error);
        Assert.True(Allocate(client).IsSuccess);

        StunAnswer Allocate(EngineClient sender) =>
            EngineClient.Answered(_fixture.Send(
                sender.Build(StunMethod.Allocate, StunRequest.UdpTransport, transaction: transaction), client.Flow));
    }

    /// <summary>Every token of one key has the same user name.</summary>
    [Fact]
    [Requirement("RFC8656-7.2-2")]
    [Requirement("CLIENT-8")]
    public void AllocateUnderAnotherToken_IsAMismatch_ThoughItsTransactionMadeTheAllocation()
    {
        var client = _fixture.NewClient(_fixture.NewToken().Native);
        var other = new EngineClient(_fixture, client.Flow, _fixture.NewToken().Native);
        client.Nonce = other.Nonce = client.Challenge().Challenge.Nonce;
        var transaction = StunRequest.NewTransaction();
        _fixture.Send(client.Build(StunMethod.Allocate, StunRequest.UdpTransport, transaction: transaction), client.Flow);

        var answer = _fixture.Send(other.Build(StunMethod.Allocate, StunRequest.UdpTransport, transaction: transaction), client.Flow)!;
        Assert.Equal(StunError.AllocationMismatch, answer.Error);
    }

    [Theory]
    [InlineData(StunMethod.Refresh, StunAttributeType.Lifetime, 4)]
    [InlineData(StunMethod.Refresh, StunAttributeType.RequestedAddressFamily, 4)]
    [InlineData(StunMethod.ChannelBind, StunAttributeType.ChannelNumber, 4)]
    [InlineData(StunMethod.ChannelBind, StunAttributeType.XorPeerAddress, 8)]
    [InlineData(StunMethod.CreatePermission, StunAttributeType.XorPeerAddress, 8)]
    [Requirement("RFC8489-14")]
    [Requirement("CLIENT-8")]
    public void AttributeOfAnotherLength_IsABadRequest(StunMethod method, StunAttributeType type, int right)
    {
        var client = _fixture.NewClient();
        client.Allocate();
        for (var length = 0; length <= 24; length++)
        {
            if (length == right) continue;
            var answer = client.Request(method, StunRequest.Value(type, new byte[length]))!;
            Assert.Equal((length, StunError.BadRequest), (length, answer.Error));
        }
    }

    [Fact]
    [Requirement("RFC8489-6.3")]
    [Requirement("TURN-A5")]
    [Requirement("TURN-A9")]
    public void AttributeOfAnotherLength_IsIgnored_WhereItIsNotRead()
    {
        var client = _fixture.NewClient();
        client.Allocate(StunRequest.All(
            StunRequest.UdpTransport, StunRequest.Lifetime(900), StunRequest.Value(StunAttributeType.Lifetime, 1),
            StunRequest.Value(StunAttributeType.ChannelNumber, 1), StunRequest.Value(StunAttributeType.ConnectionId)));

        var peer = StunRequest.Peer(System.Net.IPEndPoint.Parse("203.0.113.9:7000"));
        Assert.True(client.Request(
            StunMethod.CreatePermission, StunRequest.All(peer, StunRequest.Value(StunAttributeType.Lifetime, 1)))!.IsSuccess);
    }

    [Fact]
    [Requirement("RFC8656-11.2")]
    [Requirement("CLIENT-8")]
    public void SendWithAMalformedAttribute_IsDropped()
    {
        var client = _fixture.NewClient();
        client.Allocate();
        client.CreatePermission("203.0.113.9:7000");

        Assert.Equal(OutcomeKind.ToPeer, client.Send("203.0.113.9:7000", [1], StunRequest.Value(StunAttributeType.DontFragment)).Kind);
        var outcome = client.Send("203.0.113.9:7000", [1], StunRequest.Value(StunAttributeType.DontFragment, 1));
        Assert.Equal(DropReason.Malformed, outcome.DropReason);
    }

    [Theory]
    [InlineData(StunAttributeType.MessageIntegrity, 0)]
    [InlineData(StunAttributeType.MessageIntegrity, 16)]
    [InlineData(StunAttributeType.MessageIntegrity, 32)]
    [InlineData(StunAttributeType.MessageIntegritySha256, 16)]
    [InlineData(StunAttributeType.MessageIntegritySha256, 20)]
    [InlineData(StunAttributeType.MessageIntegritySha256, 36)]
    [Requirement("RFC8489-14.6")]
    [Requirement("CLIENT-8")]
    public void IntegrityOfAnotherLength_IsABadRequest(StunAttributeType type, int length)
    {
        var client = _fixture.NewClient();
        var challenge = client.Challenge().Challenge;
        var answer = _fixture.Send(
            StunRequest.Plain(
                StunMethod.Allocate,
                StunRequest.All(
                    StunRequest.UdpTransport, StunRequest.Value(StunAttributeType.Username, "alice"u8.ToArray()),
                    StunRequest.Value(StunAttributeType.Realm, challenge.Realm),
                    StunRequest.Value(StunAttributeType.Nonce, challenge.Nonce),
                    StunRequest.Value(type, new byte[length]))),
            client.Flow)!;

        Assert.Equal(StunError.BadRequest, answer.Error);
    }

    /// <summary>The length field counts. The padding does not make the value longer.</summary>
    [Theory]
    [InlineData(4, true)]
    [InlineData(3, false)]
    [InlineData(1, false)]
    [Requirement("RFC8489-14.7")]
    [Requirement("CLIENT-8")]
    public void FingerprintOfAnotherLength_IsWrong(int length, bool isAnswered)
    {
        var request = StunRequest.Plain(StunMethod.Binding, (ref StunMessageWriter message) => message.AddFingerprint());
        request[^5] = (byte)length;

        Assert.Equal(isAnswered, _fixture.Send(request, _fixture.NewFlow()) is not null);
    }

    /// <summary>A client of another realm has the key of that realm, or that of this one.</summary>
    [Fact]
    [Requirement("RFC8489-9.2.4")]
    [Requirement("CLIENT-8")]
    public void CredentialsOfAnotherRealm_GetAChallengeWithTheRightOne()
    {
        var tokens = _fixture.NewToken();
        foreach (var credential in new[] { StunCredential.Password("alice", "secret"), tokens.Native, tokens.Browser })
        {
            var client = _fixture.NewClient(credential);
            client.Credential = credential with { Realm = "other.example"u8.ToArray() };
            var answer = client.TryAllocate()!;

            Assert.Equal(StunError.Unauthenticated, answer.Error);
            Assert.Equal(EngineFixture.Realm, Encoding.UTF8.GetString(answer.Challenge.Realm));
            client.Credential = credential;
            client.Allocate();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("RFC8489-6.3.1")]
    [Requirement("TURN-A14")]
    public void RetransmittedDeletion_GetsTheSameAnswer_ForFortySeconds(bool ofOneFamily)
    {
        var client = _fixture.NewClient();
        client.Allocate(StunRequest.UdpWith(StunAttributeType.AdditionalAddressFamily, Both));
        WriteAttributes deletion = StunRequest.All(
            StunRequest.Lifetime(0), ofOneFamily ? StunRequest.Value(StunAttributeType.RequestedAddressFamily, Both) : null);
        var request = client.Build(StunMethod.Refresh, deletion);
        var first = _fixture.Send(request, client.Flow)!;
        _fixture.Advance(39.9);
        _fixture.Sweep();

        Assert.Equal(0u, first.Lifetime);
        Assert.Equal(first.Octets, _fixture.Send(request, client.Flow)!.Octets);
        Assert.NotEqual(StunError.None, EngineClient.Answered(client.Request(StunMethod.Refresh, deletion)).Error);
        _fixture.Advance(0.1);
        _fixture.Sweep();
        Assert.NotEqual(StunError.None, _fixture.Send(request, client.Flow)!.Error);
    }

    /// <summary>The retransmission is authenticated, and says nothing about an allocation that was made after it.</summary>
    [Fact]
    [Requirement("RFC8489-6.3.1")]
    [Requirement("TURN-A14")]
    public void RetransmittedDeletion_DeletesNoOtherAllocation_AndNeedsTheCredential()
    {
        var client = _fixture.NewClient(_fixture.NewToken().Native);
        client.Allocate();
        var transaction = StunRequest.NewTransaction();
        var request = client.Build(StunMethod.Refresh, StunRequest.Lifetime(0), withToken: false, transaction);
        Assert.True(_fixture.Send(request, client.Flow)!.IsSuccess);
        client.Allocate();

        Assert.True(_fixture.Send(request, client.Flow)!.IsSuccess);
        Assert.Equal(1, _fixture.Engine.AllocationCount);
        client.Credential = client.Credential with { Token = null, Username = "alice"u8.ToArray() };
        var forged = client.Build(StunMethod.Refresh, StunRequest.Lifetime(0), transaction: transaction);
        Assert.Equal(StunError.Unauthenticated, _fixture.Send(forged, client.Flow)!.Error);
    }

    [Fact]
    [Requirement("RFC8656-8.1")]
    [Requirement("TURN-B20")]
    [Requirement("CLIENT-9")]
    public void RefreshOfOneFamily_ExtendsOnlyThatOne()
    {
        var client = _fixture.NewClient();
        client.Allocate(StunRequest.UdpWith(StunAttributeType.AdditionalAddressFamily, Both));
        _fixture.Advance(300);
        client.CreatePermission("203.0.113.9:7000", "[2001:db8::9]:7000");
        Assert.Equal(600u, client.Request(
            StunMethod.Refresh, StunRequest.Value(StunAttributeType.RequestedAddressFamily, Both))!.Lifetime);
        _fixture.Advance(299.999);
        Assert.NotNull(_fixture.FromPeer(client, "203.0.113.9:7000", [1]));
        _fixture.Advance(0.001);

        Assert.Null(_fixture.FromPeer(client, "203.0.113.9:7000", [1]));
        Assert.Equal(StunError.PeerAddressFamilyMismatch, client.CreatePermission("203.0.113.9:7000").Error);
        Assert.True(client.CreatePermission("[2001:db8::9]:7000").IsSuccess);
        Assert.NotNull(_fixture.FromPeer(client, "[2001:db8::9]:7000", [1]));
        _fixture.Sweep();
        Assert.Equal([1, 0], _fixture.Relays.Select(relay => relay.Closed));
        _fixture.Advance(300);
        _fixture.Sweep();
        Assert.Equal([1, 1], _fixture.Relays.Select(relay => relay.Closed));
    }

    [Fact]
    [Requirement("RFC8656-8.1")]
    [Requirement("TURN-B20")]
    [Requirement("CLIENT-9")]
    public void DeletionOfOneFamily_DeletesItsPermissionsAndChannels_AndNoOthers()
    {
        var client = _fixture.NewClient();
        client.Allocate(StunRequest.UdpWith(StunAttributeType.AdditionalAddressFamily, Both));
        client.ChannelBind(0x4000, "[2001:db8::9]:7000");
        client.ChannelBind(0x4001, "203.0.113.9:7000");
        client.Request(
            StunMethod.Refresh,
            StunRequest.All(StunRequest.Lifetime(0), StunRequest.Value(StunAttributeType.RequestedAddressFamily, Both)));

        Assert.Equal((1, 1), (client.Allocation.PermissionCount, client.Allocation.ChannelCount));
        Assert.Equal(OutcomeKind.ToPeer, client.SendOnChannel(0x4001, [1]).Kind);
        Assert.Equal(DropReason.UnboundChannel, client.SendOnChannel(0x4000, [1]).DropReason);
        Assert.True(client.ChannelBind(0x4000, "203.0.113.10:7000").IsSuccess);
    }
}
