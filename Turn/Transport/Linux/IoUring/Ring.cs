using System.Runtime.InteropServices;
using WebRtcIms.Turn.Transport.Linux.Native;

namespace WebRtcIms.Turn.Transport.Linux.IoUring;

/// <summary>
/// The two queues of an io_uring, shared with the kernel: requests go into one, their results come from the other, and one system call
/// serves many of both (io_uring(7)).
/// </summary>
/// <remarks>
/// Any thread may create it. Afterwards only the thread that calls <see cref="Enable"/> uses it: the kernel does its work in this
/// thread, when it enters the kernel (IORING_SETUP_DEFER_TASKRUN, Linux 6.1).
/// </remarks>
internal sealed unsafe class Ring : IDisposable
{
    private const uint SetupCompletionSize = 1 << 3;
    private const uint SetupDisabled = 1 << 6;
    private const uint SetupSubmitAll = 1 << 7;
    private const uint SetupSingleIssuer = 1 << 12;
    private const uint SetupDeferTaskRun = 1 << 13;
    private const uint FeatureSingleMap = 1;
    private const uint EnterGetEvents = 1;
    private const uint RegisterEnableRings = 12;
    private const uint RegisterProvidedBuffers = 22;
    private const long OffsetQueues = 0;
    private const long OffsetSubmissions = 0x10000000;

    private readonly int _descriptor;
    private readonly byte* _queues;
    private readonly nuint _queuesLength;
    private readonly RingSubmission* _submissions;
    private readonly nuint _submissionsLength;
    private readonly uint* _submissionHead;
    private readonly uint* _submissionTail;
    private readonly uint* _completionHead;
    private readonly uint* _completionTail;
    private readonly RingCompletion* _completions;
    private readonly uint _submissionMask;
    private readonly uint _completionMask;
    private readonly uint _entries;
    private uint _tail;
    private bool _isClosed;

    /// <exception cref="RingException">The kernel has no io_uring, or refuses it.</exception>
    public Ring(uint entries, uint completions)
    {
        var parameters = new RingParameters
        {
            CompletionEntries = completions,
            Flags = SetupCompletionSize | SetupDisabled | SetupSubmitAll | SetupSingleIssuer | SetupDeferTaskRun,
        };
        _descriptor = (int)Libc.IoUringSetup(entries, &parameters);
        if (_descriptor < 0) throw new RingException("io_uring_setup", Libc.LastError);
        try
        {
            if ((parameters.Features & FeatureSingleMap) == 0) throw new RingException("io_uring_setup", Libc.Invalid);
            _entries = parameters.SubmissionEntries;
            _queuesLength = Math.Max(
                parameters.Submission.Array + (parameters.SubmissionEntries * sizeof(uint)),
                parameters.Completion.Entries + (parameters.CompletionEntries * (uint)sizeof(RingCompletion)));
            _queues = Map(_queuesLength, OffsetQueues);
            _submissionsLength = parameters.SubmissionEntries * (uint)sizeof(RingSubmission);
            _submissions = (RingSubmission*)Map(_submissionsLength, OffsetSubmissions);
        }
        catch
        {
            Dispose();
            throw;
        }

        _submissionHead = (uint*)(_queues + parameters.Submission.Head);
        _submissionTail = (uint*)(_queues + parameters.Submission.Tail);
        _submissionMask = *(uint*)(_queues + parameters.Submission.Mask);
        _completionHead = (uint*)(_queues + parameters.Completion.Head);
        _completionTail = (uint*)(_queues + parameters.Completion.Tail);
        _completionMask = *(uint*)(_queues + parameters.Completion.Mask);
        _completions = (RingCompletion*)(_queues + parameters.Completion.Entries);

        // Entries are used in the order in which they lie.
        var array = (uint*)(_queues + parameters.Submission.Array);
        for (uint i = 0; i < parameters.SubmissionEntries; i++) array[i] = i;
    }

    /// <summary>The calling thread is the one that uses the ring from now on.</summary>
    /// <exception cref="RingException">The kernel refuses.</exception>
    public void Enable() => Register(RegisterEnableRings, null, 0);

    /// <summary>Gives the kernel a ring of buffers to choose from when something arrives.</summary>
    /// <exception cref="RingException">The kernel refuses.</exception>
    public void RegisterBuffers(void* ring, uint entries, ushort group)
    {
        var registration = new RingBufferRegistration { Ring = ring, Entries = entries, Group = group };
        Register(RegisterProvidedBuffers, &registration, 1);
    }

    /// <summary>The next entry to fill in, zeroed. Submits what is queued when there is no room.</summary>
    public ref RingSubmission Next()
    {
        while (_tail - Volatile.Read(ref *_submissionHead) == _entries) Enter(wait: false);
        ref var submission = ref _submissions[_tail & _submissionMask];
        submission = default;
        _tail++;
        return ref submission;
    }

    /// <summary>Submits the queue and lets the kernel do its deferred work. Waits for a completion on request.</summary>
    public void Enter(bool wait)
    {
        Volatile.Write(ref *_submissionTail, _tail);
        var count = _tail - Volatile.Read(ref *_submissionHead);

        // After an error (interrupted; too many unread completions) the rest stays in the queue for the next call.
        _ = Libc.IoUringEnter(_descriptor, count, wait ? 1U : 0U, EnterGetEvents);
    }

    public bool TryRead(out RingCompletion completion)
    {
        completion = default;
        var head = *_completionHead;
        if (head == Volatile.Read(ref *_completionTail)) return false;
        completion = _completions[head & _completionMask];
        Volatile.Write(ref *_completionHead, head + 1);
        return true;
    }

    public void Dispose()
    {
        if (_isClosed) return;
        _isClosed = true;
        if (_submissions != null) _ = Libc.Unmap(_submissions, _submissionsLength);
        if (_queues != null) _ = Libc.Unmap(_queues, _queuesLength);
        _ = Libc.Close(_descriptor);
    }

    private byte* Map(nuint length, long offset)
    {
        var address = Libc.Map(null, length, Libc.ReadWrite, Libc.MapSharedPopulate, _descriptor, offset);
        if ((nint)address == -1) throw new RingException("mmap", Libc.LastError);
        return (byte*)address;
    }

    private void Register(uint operation, void* argument, uint count)
    {
        if (Libc.IoUringRegister(_descriptor, operation, argument, count) < 0) throw new RingException("io_uring_register", Libc.LastError);
    }
}

/// <summary>The kernel does not let this process use io_uring, or lacks a part of it.</summary>
internal sealed class RingException(string call, int error) : Exception($"{call}: {Marshal.GetPInvokeErrorMessage(error)}");
