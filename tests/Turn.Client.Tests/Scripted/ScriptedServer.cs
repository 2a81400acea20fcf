using System.Collections.Concurrent;
using System.Threading.Channels;
using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Integrity;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Client.Protocol;
using WebRtcIms.Turn.Client.Transport;

namespace WebRtcIms.Turn.Client.Tests.Scripted;

/// <summary>Makes the answer to a request; null for none.</summary>
internal delegate byte[]? Answer(in StunMessageReader request);

/// <summary>
/// A server at the other end of a transport without a network. It challenges, and grants what a signed request asks for,
/// unless a test scripts the next answers.
/// </summary>
internal sealed class ScriptedServer(ObservedClock clock, bool isReliable = false) : ITurnTransport
{
    public const string User = "alice";
    public const string Password = "secret";

    public static readonly TransportAddress Relayed = new(InternetAddress.Parse("192.0.2.1"), 50000);
    public static readonly TransportAddress Mapped = new(InternetAddress.Parse("198.51.100.7"), 40000);

    // In real time: a client that does not act as the test expects fails it.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Channel<byte[]> _toClient = Channel.CreateUnbounded<byte[]>();
    private readonly Channel<SentMessage> _fromClient = Channel.CreateUnbounded<SentMessage>();
    private readonly ConcurrentQueue<Answer> _script = [];
    private readonly List<SentMessage> _sent = [];
    private readonly Lock _gate = new();
    private TaskCompletionSource _handled = new();
    private int _unhandled;
    private bool _isHandling;

    public bool IsReliable => isReliable;

    /// <summary>The HMAC key of granted requests; that of <see cref="User"/> by MD5 unless a test says otherwise.</summary>
    public byte[] Key { get; set; } = PasswordKey();

    public bool UsesSha256 { get; set; }

    public uint Lifetime { get; set; } = 600;

    public bool OffersTokens { get; set; }

    public string Nonce { get; set; } = "nonce-1";

    public byte[]? PasswordAlgorithms { get; set; }

    /// <summary>The messages of the client, in order, with the time.</summary>
    public IReadOnlyList<SentMessage> Sent
    {
        get
        {
            lock (_gate) return [.. _sent];
        }
    }

    public TurnClient Connect(int receiveQueueLength = 1024) =>
        new(this, new TurnClientOptions { Time = clock, ReceiveQueueLength = receiveQueueLength });

    /// <summary>An allocation of <see cref="User"/>.</summary>
    public async Task<TurnAllocation> AllocateAsync(CancellationToken cancel, int receiveQueueLength = 1024)
    {
        var client = Connect(receiveQueueLength);
        var allocation = await client.AllocateAsync(TurnCredential.LongTerm(User, Password), cancellationToken: cancel);
        Forget();
        return allocation;
    }

    /// <summary>Forgets what was sent so far, and which timers were set.</summary>
    public void Forget()
    {
        clock.Forget();
        lock (_gate) _sent.Clear();
        while (_fromClient.Reader.TryRead(out _))
        {
        }
    }

    /// <summary>Scripts the answers to the next requests, in order.</summary>
    public void AnswerNext(params ReadOnlySpan<Answer> answers)
    {
        foreach (var answer in answers) _script.Enqueue(answer);
    }

    /// <summary>Sends an unsolicited message.</summary>
    public void Send(byte[] message)
    {
        lock (_gate)
        {
            if (_unhandled++ == 0) _handled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        _toClient.Writer.TryWrite(message);
    }

    /// <summary>Waits until the client has handled everything that this server sent.</summary>
    public Task HandledAsync(CancellationToken cancel)
    {
        lock (_gate) return _unhandled == 0 ? Task.CompletedTask : _handled.Task.WaitAsync(Patience, cancel);
    }

    public void SendData(in TransportAddress peer, ReadOnlySpan<byte> data)
    {
        var indication = new StunMessageWriter(new byte[2048], StunMethod.Data, StunClass.Indication, default);
        indication.WriteXorAddress(StunAttributeType.XorPeerAddress, peer);
        indication.Write(StunAttributeType.Data, data);
        Send(indication.Written.ToArray());
    }

    /// <summary>The next message of the client; it must come.</summary>
    public Task<SentMessage> NextAsync(CancellationToken cancel) =>
        _fromClient.Reader.ReadAsync(cancel).AsTask().WaitAsync(Patience, cancel);

    /// <summary>Ends the connection, as a stopping server does.</summary>
    public void Close() => _toClient.Writer.TryComplete(new IOException("the server closed it"));

    public ValueTask SendAsync(ReadOnlyMemory<byte> message, CancellationToken cancel)
    {
        var sent = new SentMessage(clock.Elapsed, message.ToArray());
        lock (_gate) _sent.Add(sent);
        var answer = ChannelData.IsChannelData(sent.Octets[0]) ? null : AnswerTo(sent.Stun);
        if (answer is not null) Send(answer);
        _fromClient.Writer.TryWrite(sent);
        return ValueTask.CompletedTask;
    }

    public async ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancel)
    {
        // A client that asks for the next message has handled the last one.
        lock (_gate)
        {
            if (_isHandling && --_unhandled == 0) _handled.TrySetResult();
            _isHandling = false;
        }

        try
        {
            var message = await _toClient.Reader.ReadAsync(cancel);
            message.CopyTo(buffer);
            _isHandling = true;
            return message.Length;
        }
        catch (ChannelClosedException error)
        {
            throw error.InnerException ?? error;
        }
    }

    public ValueTask DisposeAsync()
    {
        _toClient.Writer.TryComplete();
        return ValueTask.CompletedTask;
    }

    /// <summary>Sends no answer.</summary>
    public static byte[]? Silence(in StunMessageReader request) => null;

    public byte[] Challenge(in StunMessageReader request) => Challenge(request, StunError.Unauthenticated);

    public byte[] StaleNonce(in StunMessageReader request) => Challenge(request, StunError.StaleNonce);

    public byte[] Grant(in StunMessageReader request) => Grant(request, Key);

    /// <summary>An answer as <see cref="Grant(in StunMessageReader)"/> gives it, signed with a key that is not the client's.</summary>
    public byte[] Forgery(in StunMessageReader request) => Grant(request, new byte[20]);

    /// <summary>A success without integrity.</summary>
    public byte[] UnsignedGrant(in StunMessageReader request) => Grant(request, key: null);

    public Answer Refuse(StunError error, bool isSigned = true) => (in StunMessageReader request) =>
    {
        var response = new StunMessageWriter(new byte[2048], request.Method, StunClass.ErrorResponse, request.TransactionId);
        response.WriteErrorCode(error);
        if (isSigned) Sign(ref response, Key);
        return response.Written.ToArray();
    };

    public static byte[] PasswordKey()
    {
        var key = new byte[LongTermKey.Md5Length];
        LongTermKey.ComputeMd5("alice"u8, "example.org"u8, "secret"u8, key);
        return key;
    }

    private byte[]? AnswerTo(in StunMessageReader message)
    {
        if (message.Class != StunClass.Request) return null;
        if (_script.TryDequeue(out var answer)) return answer(message);
        var isSigned = message.HasMessageIntegrity || message.HasMessageIntegritySha256;
        return isSigned || message.Method == StunMethod.Binding ? Grant(message) : Challenge(message);
    }

    private byte[] Challenge(in StunMessageReader request, StunError error)
    {
        var response = new StunMessageWriter(new byte[2048], request.Method, StunClass.ErrorResponse, request.TransactionId);
        response.WriteErrorCode(error);
        response.Write(StunAttributeType.Realm, "example.org"u8);
        response.Write(StunAttributeType.Nonce, System.Text.Encoding.UTF8.GetBytes(Nonce));
        if (PasswordAlgorithms is { } algorithms) response.Write(StunAttributeType.PasswordAlgorithms, algorithms);
        if (OffersTokens) response.Write(StunAttributeType.ThirdPartyAuthorization, "turn.example.org"u8);
        return response.Written.ToArray();
    }

    private byte[] Grant(in StunMessageReader request, byte[]? key)
    {
        var response = new StunMessageWriter(new byte[2048], request.Method, StunClass.SuccessResponse, request.TransactionId);
        var isDeletion = request.TryGetUInt32(StunAttributeType.Lifetime, out var wanted) && wanted == 0;
        if (request.Method == StunMethod.Allocate) response.WriteXorAddress(StunAttributeType.XorRelayedAddress, Relayed);
        if (request.Method is StunMethod.Allocate or StunMethod.Binding)
            response.WriteXorAddress(StunAttributeType.XorMappedAddress, Mapped);
        if (request.Method is StunMethod.Allocate or StunMethod.Refresh)
            response.WriteUInt32(StunAttributeType.Lifetime, isDeletion ? 0 : Lifetime);
        if (key is not null && request.Method != StunMethod.Binding) Sign(ref response, key);
        return response.Written.ToArray();
    }

    private void Sign(ref StunMessageWriter response, byte[] key)
    {
        if (UsesSha256) response.AddMessageIntegritySha256(key);
        else response.AddMessageIntegrity(key);
    }
}

/// <summary>A message of the client, and its time.</summary>
internal sealed record SentMessage(TimeSpan At, byte[] Octets)
{
    public StunMessageReader Stun
    {
        get
        {
            Assert.Equal(StunParseStatus.Ok, StunMessageReader.TryRead(Octets, out var message));
            return message;
        }
    }

    public StunMethod Method => Stun.Method;

    public string? Text(StunAttributeType type) => Stun.TryGet(type, out var value) ? System.Text.Encoding.UTF8.GetString(value) : null;

    public List<TransportAddress> Peers()
    {
        var peers = new List<TransportAddress>();
        var message = Stun;
        foreach (var attribute in message)
        {
            if (attribute.Type != StunAttributeType.XorPeerAddress) continue;
            Assert.True(message.TryDecodeXorAddress(attribute.Value, out var peer));
            peers.Add(peer);
        }

        return peers;
    }
}
