import { createRoot } from 'react-dom/client';
import { App } from './shell/app';
import { startTheme } from './theme';
import './styles/theme.css';
import './styles/base.css';
import './styles/shell.css';
import './styles/components.css';
import './styles/pages.css';

startTheme();
const root = document.getElementById('root');
if (root) createRoot(root).render(<App />);
