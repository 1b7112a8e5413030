using System.Reflection;
using Xunit;
using Xunit.v3;

namespace FenceGateway.TestKit;

/// <summary>
/// On every test assembly: the logs of the processes of a test that failed stay, and its output names them; others are
/// removed.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class KeepLogsOfFailuresAttribute : Attribute, IBeforeAfterTestAttribute
{
    public void Before(MethodInfo methodUnderTest, IXunitTest test)
    {
    }

    public void After(MethodInfo methodUnderTest, IXunitTest test)
    {
        var (context, collection) = (TestContext.Current, test.TestCase.TestCollection.UniqueID);
        if (context.TestState?.Result != TestResult.Failed)
        {
            ProcessLog.RemoveEnded(collection);
            return;
        }

        foreach (var log in ProcessLog.Keep(collection))
        {
            context.TestOutputHelper?.WriteLine($"LOG: {log}");
        }
    }
}
